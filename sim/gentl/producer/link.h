/* The camera's end of the link: what stands in /dev/shm/voxgate-camera.<address>.
 *
 * A Python process stands before the lens and owns the file: it fills slots with pictures, fires
 * the line, sets the clocks and commits the faults (sim/gentl/link.py is the same layout in
 * numpy). The producer owns registers, status and truth. Every field is 8 bytes or text, so that
 * both sides agree about its place; a change of the layout needs another LINK_MAGIC. */
#ifndef VG_LINK_H
#define VG_LINK_H

#include <stdint.h>

#include "registers.h"

#define LINK_MAGIC "VGCAM-03"
#define LINK_FOLDER "/dev/shm"
#define LINK_PREFIX "voxgate-camera."
#define TEXT_BYTES 64
#define SLOTS 64
#define PULSES 64
#define TRUTHS 256

enum { /* faults: the number of times it happens next, -1: always; or an amount where one is named */
    FAULT_STALL,          /* nothing is exposed, nothing is said */
    FAULT_MISSED,         /* triggers that are not seen */
    FAULT_STALE,          /* frames that show, and are stamped as, the frame before */
    FAULT_INCOMPLETE,     /* buffers with half of their bytes */
    FAULT_ID_JUMP,        /* amount: so many numbers are left out, once */
    FAULT_ID_REPEAT,      /* frames with the number of the frame before */
    FAULT_STAMP_ZERO,     /* frames without a time */
    FAULT_STAMP_BACK,     /* frames stamped FAULT_STAMP_BACK_NS too early */
    FAULT_STAMP_BACK_NS,  /* amount */
    FAULT_UNKNOWN_FORMAT, /* frames of a pixel format nobody knows */
    FAULT_SLOW_WRITE_MS,  /* amount: so long a register write takes */
    FAULT_PORT_ERROR,     /* amount: GenTL error of every register access */
    FAULT_EVENT_ERROR,    /* amount: of every EventGetData */
    FAULT_OPEN_ERROR,     /* amount: of every IFOpenDevice */
    FAULT_LATE_NS,        /* amount: every frame is so much longer on its way */
    FAULTS,
};

enum { SILENT_WIDTH, SILENT_HEIGHT, SILENT_PIXELFORMAT, SILENT_PAYLOADTYPE, SILENT_SERIAL };

typedef struct {
    char magic[8];
    int64_t control_bytes, file_bytes;
    int64_t width, height;
    int64_t slots, slots_offset, slot_bytes;
    int64_t intensity_format; /* PFNC of what the slots hold: Mono8, Mono16 or RGB8 */
    int64_t range_format;     /* Coord3D_C16, Coord3D_ABC32f or 0 */
    int64_t range_divisor;    /* so many pixels of the image wide and high is one of range and confidence */
    int64_t has_confidence;   /* slots hold Confidence8; else it is 255 where range is valid */
    int64_t rays_offset;      /* (h, w, 2) float32 x/z, y/z for Coord3D_C16; 0: a pinhole */
    double range_scale, range_offset, range_invalid;
    double focal_px, centre_u_px, centre_v_px;
    double baseline_m; /* above 0: counts are of disparity in px, not of a distance */
    int64_t seed;
    int64_t frame_id_bits; /* 16: numbers as GigE Vision does, and says so; else 64 */
    int64_t line_padding;  /* bytes after each line of every part */
    int64_t silent;        /* bits of SILENT_*: what the producer does not answer */
    int64_t interfaces;    /* bits: over which of the system's interfaces it is reached */
    char vendor[TEXT_BYTES], model[TEXT_BYTES], version[TEXT_BYTES];
} link_plan;

typedef struct {
    int64_t sequence; /* odd while it is being changed */
    int64_t zero_host_ns, zero_device_ns, jitter_ns;
    double drift_ppm;
} link_clock;

typedef struct {
    int64_t t_host_ns, slot, rising;
} link_pulse;

typedef struct {
    int64_t sequence; /* number of the entry, written last; 0: never */
    int64_t frame_id, t_start_host_ns, exposure_ns, t_delivered_host_ns, slot, t_device_ns, fate;
} link_truth;

enum { FATE_DELIVERED = 1, FATE_NO_BUFFER, FATE_INCOMPLETE };

typedef struct {
    link_plan plan; /* fixed before the file gets its name */

    /* written by Python */
    char serial[TEXT_BYTES];
    int64_t present;  /* 0: nobody answers */
    int64_t session;  /* grows each time it comes back: who had it open must open it again */
    int64_t reboots;  /* grows with each power cycle that nobody noticed */
    int64_t scene;    /* slot that is before the lens */
    double temperature_c;
    link_clock clock;
    int64_t ptp_master_minus_host_ns, ptp_settle_ns, ptp_residual_ns, ptp_forced_status;
    int64_t trigger_latency_ns, readout_ns;
    int64_t latency_ns, latency_jitter_ns, late_permille, late_ns;
    int64_t faults[FAULTS];
    int64_t pulse_count; /* ever fired; the last PULSES of them stand in pulses */
    link_pulse pulses[PULSES];
    int64_t slot_sequence[SLOTS]; /* odd while the slot is being filled */

    /* written by the producer */
    int64_t powered; /* registers hold values */
    int64_t rebooted; /* reboots that were noticed */
    int64_t acquiring, frame_id, delivered, lost, missed_triggers, exposed;
    int64_t ptp_since_host_ns, ptp_start_offset_ns, held_ns;
    int64_t truth_count;
    link_truth truths[TRUTHS];
    uint8_t registers[REGISTER_BYTES];
    uint8_t user_set[REGISTER_BYTES];
} link_control;

#endif
