/* What the files of the producer share. One lock guards everything but pixels on their way. */
#ifndef VG_PRODUCER_H
#define VG_PRODUCER_H

#include <pthread.h>
#include <stdbool.h>

#include "gentl.h"
#include "link.h"

#define VENDOR "VoxGate"
#define VERSION "1.0.0"
#define TLTYPE "Custom"
#define INTERFACES 2
#define STREAM_ID "stream0"
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define MOST_DEVICES 64
#define MOST_BUFFERS 1024
#define MOST_PARTS 3 /* range and disparity exclude each other */
#define MOST_CHUNKS 3
#define MOST_EVENTS 256 /* that wait to be read */

/* modules ------------------------------------------------------------------------------------- */

typedef enum { SYSTEM = 1, INTERFACE, DEVICE, REMOTE, STREAM, EVENT } module_kind;

typedef struct module {
    module_kind kind;
    struct module *parent;
    struct module *next; /* in the list of everything that is open */
} module;

typedef struct interface {
    module base;
    int number;
    char listed[MOST_DEVICES][TEXT_BYTES];
    int listed_count;
} interface;

typedef struct event {
    module base; /* parent: its source */
    EVENT_TYPE kind;
    pthread_cond_t news;
    int waiting, kills;
    bool closing;
    uint64_t fired;
    int first, count;
    struct {
        uint64_t number;
        int64_t t_device_ns, frame_id;
    } told[MOST_EVENTS]; /* of a remote device; new buffers wait in the stream */
} event;

typedef struct {
    int fd;
    int64_t file_bytes;
    link_plan plan; /* our own copy: checked once, trusted from then on */
    link_control *shared;
    char address[TEXT_BYTES];
    int64_t session;
    int64_t looked_ns;
    bool owner_lives;
} camera_link;

typedef struct device {
    module base;
    module remote; /* the handle of its port */
    camera_link link;
    bool writable;
    int64_t reboots; /* that this process has noticed */
    bool silent;     /* rebooted while open: no frame comes until it is opened again */
    uint64_t starts; /* AcquisitionStart, ever */
    int64_t started_ns, pulses_at_start;
    int64_t software_trigger_ns; /* 0: none waits */
    struct stream *stream;
} device;

typedef struct {
    uint64_t id;
    size_t offset, length;
} chunk;

typedef struct {
    int64_t component, format, width, height, x, y; /* x, y: first column and line */
    size_t offset, bytes;
    size_t padding; /* bytes after each line */
} part;

typedef enum { ANNOUNCED, QUEUED, FILLING, READY, HELD } buffer_state;

typedef struct buffer {
    uint8_t *memory;
    size_t size;
    void *user;
    bool ours; /* allocated here */
    buffer_state state;
    uint64_t turn; /* smallest first within a state */
    /* of the frame */
    bool has_frame, incomplete, too_large;
    size_t filled, image_bytes;
    int64_t frame_id, t_device_ns;
    part parts[MOST_PARTS];
    int part_count;
    chunk chunks[MOST_CHUNKS];
    int chunk_count;
    struct buffer *next;
} buffer;

typedef enum { OLDEST_FIRST, OLDEST_FIRST_OVERWRITE, NEWEST_ONLY } handling;

typedef struct stream {
    module base;
    device *owner;
    buffer *buffers; /* in the order of their announcement */
    uint32_t announced;
    uint64_t turns;
    int64_t handling;
    pthread_t thread;
    pthread_cond_t wake;
    bool running, stopping;
    uint64_t frames_left; /* UINT64_MAX: no end */
    uint64_t delivered, underrun, started;
} stream;

/* library.c */
extern pthread_mutex_t lock;
void enter(void);
GC_ERROR leave(GC_ERROR code, const char *why);
bool ready(void);
void *find(const void *handle, module_kind kind);
void enlist(module *opened, module_kind kind, module *parent);
void delist(module *closed);
module *first_child(const module *parent);
module *next_device(const module *after);
module *next_interface(const module *after);
event *next_event(const event *after);
void copy_text(char out[TEXT_BYTES], const char *from);
int64_t host_ns(void);
void init_cond(pthread_cond_t *cond);
bool wait_until(pthread_cond_t *cond, int64_t deadline_ns);

/* answer.c: all answer the question for the size, too */
GC_ERROR say_text(const char *text, ANSWER);
GC_ERROR say_i32(int32_t value, ANSWER);
GC_ERROR say_u32(uint32_t value, ANSWER);
GC_ERROR say_u64(uint64_t value, ANSWER);
GC_ERROR say_size(size_t value, ANSWER);
GC_ERROR say_bool(bool value, ANSWER);
GC_ERROR say_pointer(const void *value, ANSWER);
GC_ERROR say_bytes(const void *bytes, size_t count, ANSWER);
GC_ERROR say_id(const char *text, char *out, size_t *size);

/* closing, top down */
void close_interface(interface *closed);
void close_device(device *closed);
void close_stream(stream *closed);
void close_event(event *closed);
void close_events_of(const module *source);

/* interface.c, device.c */
GC_ERROR device_info(camera_link *link, int32_t access, INFO_COMMAND what, ANSWER);
GC_ERROR open_link(device *made, const char *address, ACCESS_FLAGS access);

/* link.c */
void copy_serial(const camera_link *link, char out[TEXT_BYTES]);
int list_cameras(int interface, char addresses[MOST_DEVICES][TEXT_BYTES]);
GC_ERROR attach(camera_link *link, const char *address);
void detach(camera_link *link);
bool take_control(camera_link *link);
bool is_controlled(camera_link *link);
bool is_there(camera_link *link);
bool read_pixels(const camera_link *link, int64_t offset, void *out, size_t bytes);
bool is_3d(int64_t component);
int64_t component_of_3d(const link_plan *plan);
int64_t divisor(const link_plan *plan, int64_t component);
int64_t stored_format(const link_plan *plan, int64_t component);
size_t stored_bytes(const link_plan *plan, int64_t component);
int64_t stored_offset(const link_plan *plan, int64_t component);
int bytes_per_pixel(int64_t format);
size_t bytes_per_line(int64_t format, int64_t width);
bool is_silent(const camera_link *link, int question);
int64_t fault(const camera_link *link, int which);
bool commit(const camera_link *link, int which);

/* registers.c */
void power_on(camera_link *link);
void reboot(device *rebooted);
int64_t get_register(const link_control *shared, int address);
double get_float(const link_control *shared, int address);
void set_register(link_control *shared, int address, int64_t value);
GC_ERROR read_registers(device *of, uint64_t address, void *out, size_t bytes);
GC_ERROR write_register(device *of, uint64_t address, const void *data, size_t bytes);
size_t payload_bytes(const camera_link *link);

/* clock.c */
int64_t device_ns(const camera_link *link, int64_t t_host_ns);
void ptp_enable(camera_link *link, bool on);
int64_t ptp_status(const camera_link *link);
int64_t ptp_offset_ns(const camera_link *link, int64_t t_host_ns);
void clock_to_zero(camera_link *link);

/* buffer.c */
buffer *oldest(const stream *of, buffer_state state);
uint32_t count_buffers(const stream *of, buffer_state state);
void put_buffer(stream *of, buffer *moved, buffer_state state);
void free_buffers(stream *of);

/* parts.c: how a frame's parts lie in a buffer */
int plan_parts(const camera_link *link, part parts[MOST_PARTS]);
bool is_format_of(const camera_link *link, int64_t component, int64_t format);

/* packing.c */
void put_value(int64_t format, uint16_t value, int64_t place, uint8_t *out);
int bits_of_value(int64_t format);
bool shares_bytes(int64_t format);

/* pixels.c: copy a part from a slot */
bool copy_part(const camera_link *link, int64_t slot, const part *wanted, uint8_t *out);

/* frame.c */
void fill_frame(const camera_link *link, buffer *to, int64_t slot, int64_t exposure_ns);

/* sensor.c */
void *run_sensor(void *stream);
bool line_level(const camera_link *link, int64_t t_host_ns);

/* stream.c */
void stop_stream(stream *stopped);

/* event.c */
void tell_remote(device *of, uint64_t number, int64_t t_device_ns, int64_t frame_id);
void tell_new_buffer(stream *of);

/* camera_xml.c */
extern const char camera_xml_start[], camera_xml_end[];
extern const char stream_xml_start[], stream_xml_end[];

#endif
