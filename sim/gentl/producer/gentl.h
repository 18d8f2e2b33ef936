/* The C interface of a GenTL 1.6 producer: types, numbers and functions a consumer links by name.
 * Our own declarations of what the published standard defines (EMVA GenTL 1.6, chapter 6). */
#ifndef VG_GENTL_H
#define VG_GENTL_H

#include <stddef.h>
#include <stdint.h>

#define GC_API __attribute__((visibility("default"))) GC_ERROR

typedef int32_t GC_ERROR;
typedef uint8_t bool8_t;
typedef void *TL_HANDLE, *IF_HANDLE, *DEV_HANDLE, *DS_HANDLE, *PORT_HANDLE;
typedef void *BUFFER_HANDLE, *EVENT_HANDLE, *EVENTSRC_HANDLE;
typedef int32_t INFO_COMMAND, INFO_DATATYPE, EVENT_TYPE, ACQ_FLAGS, ACQ_QUEUE, ACCESS_FLAGS;

enum {
    GC_ERR_SUCCESS = 0,
    GC_ERR_ERROR = -1001,
    GC_ERR_NOT_INITIALIZED = -1002,
    GC_ERR_NOT_IMPLEMENTED = -1003,
    GC_ERR_RESOURCE_IN_USE = -1004,
    GC_ERR_ACCESS_DENIED = -1005,
    GC_ERR_INVALID_HANDLE = -1006,
    GC_ERR_INVALID_ID = -1007,
    GC_ERR_NO_DATA = -1008,
    GC_ERR_INVALID_PARAMETER = -1009,
    GC_ERR_IO = -1010,
    GC_ERR_TIMEOUT = -1011,
    GC_ERR_ABORT = -1012,
    GC_ERR_INVALID_BUFFER = -1013,
    GC_ERR_NOT_AVAILABLE = -1014,
    GC_ERR_INVALID_ADDRESS = -1015,
    GC_ERR_BUFFER_TOO_SMALL = -1016,
    GC_ERR_INVALID_INDEX = -1017,
    GC_ERR_INVALID_VALUE = -1019,
    GC_ERR_OUT_OF_MEMORY = -1021,
    GC_ERR_BUSY = -1022,
};

enum { /* INFO_DATATYPE */
    TYPE_STRING = 1,
    TYPE_INT16 = 3,
    TYPE_INT32 = 5,
    TYPE_UINT32 = 6,
    TYPE_UINT64 = 8,
    TYPE_PTR = 10,
    TYPE_BOOL8 = 11,
    TYPE_SIZET = 12,
    TYPE_BUFFER = 13,
};

enum { /* TL_INFO */
    TL_ID,
    TL_VENDOR,
    TL_MODEL,
    TL_VERSION,
    TL_TLTYPE,
    TL_NAME,
    TL_PATHNAME,
    TL_DISPLAYNAME,
    TL_CHAR_ENCODING,
    TL_GENTL_MAJOR,
    TL_GENTL_MINOR,
};

enum { IF_ID, IF_DISPLAYNAME, IF_TLTYPE };

enum { /* DEVICE_INFO */
    DEV_ID,
    DEV_VENDOR,
    DEV_MODEL,
    DEV_TLTYPE,
    DEV_DISPLAYNAME,
    DEV_ACCESS_STATUS,
    DEV_USER_NAME,
    DEV_SERIAL,
    DEV_VERSION,
    DEV_TIMESTAMP_HZ,
};

enum { OPEN_READONLY = 2, OPEN_CONTROL = 3, OPEN_EXCLUSIVE = 4 };
enum { ACCESS_READWRITE = 1, ACCESS_NOACCESS = 3, ACCESS_BUSY = 4, ACCESS_OPEN_READWRITE = 5, ACCESS_OPEN_READONLY = 6 };

enum { /* STREAM_INFO */
    DS_ID,
    DS_NUM_DELIVERED,
    DS_NUM_UNDERRUN,
    DS_NUM_ANNOUNCED,
    DS_NUM_QUEUED,
    DS_NUM_AWAIT_DELIVERY,
    DS_NUM_STARTED,
    DS_PAYLOAD_SIZE,
    DS_IS_GRABBING,
    DS_DEFINES_PAYLOADSIZE,
    DS_TLTYPE,
    DS_NUM_CHUNKS_MAX,
    DS_ANNOUNCE_MIN,
    DS_ALIGNMENT,
};

enum { /* BUFFER_INFO */
    BUF_BASE,
    BUF_SIZE,
    BUF_USER_PTR,
    BUF_TIMESTAMP,
    BUF_NEW_DATA,
    BUF_IS_QUEUED,
    BUF_IS_ACQUIRING,
    BUF_IS_INCOMPLETE,
    BUF_TLTYPE,
    BUF_SIZE_FILLED,
    BUF_WIDTH,
    BUF_HEIGHT,
    BUF_XOFFSET,
    BUF_YOFFSET,
    BUF_XPADDING,
    BUF_YPADDING,
    BUF_FRAMEID,
    BUF_IMAGEPRESENT,
    BUF_IMAGEOFFSET,
    BUF_PAYLOADTYPE,
    BUF_PIXELFORMAT,
    BUF_PIXELFORMAT_NAMESPACE,
    BUF_DELIVERED_HEIGHT,
    BUF_DELIVERED_CHUNKS,
    BUF_CHUNKLAYOUT,
    BUF_FILENAME,
    BUF_ENDIANNESS,
    BUF_DATA_SIZE,
    BUF_TIMESTAMP_NS,
    BUF_TOO_LARGE,
    BUF_HAS_CHUNKS,
    BUF_IS_COMPOSITE,
};

enum { /* BUFFER_PART_INFO */
    PART_BASE,
    PART_DATA_SIZE,
    PART_DATA_TYPE,
    PART_DATA_FORMAT,
    PART_FORMAT_NAMESPACE,
    PART_WIDTH,
    PART_HEIGHT,
    PART_XOFFSET,
    PART_YOFFSET,
    PART_XPADDING,
    PART_SOURCE_ID,
    PART_DELIVERED_HEIGHT,
    PART_REGION_ID,
    PART_PURPOSE_ID,
};

enum { PART_2D_IMAGE = 1, PART_3D_IMAGE = 5, PART_CONFIDENCE = 9 };
enum { PAYLOAD_IMAGE = 1, PAYLOAD_MULTI_PART = 10 };
enum { NAMESPACE_PFNC32 = 4, ENDIANNESS_LITTLE = 1 };

enum { /* PORT_INFO */
    PORT_ID,
    PORT_VENDOR,
    PORT_MODEL,
    PORT_TLTYPE,
    PORT_MODULE,
    PORT_LITTLE_ENDIAN,
    PORT_BIG_ENDIAN,
    PORT_ACCESS_READ,
    PORT_ACCESS_WRITE,
    PORT_ACCESS_NA,
    PORT_ACCESS_NI,
    PORT_VERSION,
    PORT_NAME,
};

enum { /* URL_INFO */
    URL_URL,
    URL_SCHEMA_MAJOR,
    URL_SCHEMA_MINOR,
    URL_FILE_MAJOR,
    URL_FILE_MINOR,
    URL_FILE_SUBMINOR,
    URL_SHA1,
    URL_ADDRESS,
    URL_SIZE,
    URL_SCHEME,
    URL_FILENAME,
};

enum { ON_ERROR, ON_NEW_BUFFER, ON_FEATURE_INVALIDATE, ON_FEATURE_CHANGE, ON_REMOTE_DEVICE, ON_MODULE };
enum { EVENT_INFO_TYPE, EVENT_INFO_IN_QUEUE, EVENT_INFO_FIRED, EVENT_INFO_SIZE_MAX, EVENT_INFO_DATA_MAX };
enum { EVENT_GIVES_ID, EVENT_GIVES_VALUE, EVENT_GIVES_NUMID };

enum { QUEUE_INPUT_TO_OUTPUT, QUEUE_OUTPUT_DISCARD, QUEUE_ALL_TO_INPUT, QUEUE_UNQUEUED_TO_INPUT, QUEUE_ALL_DISCARD };
enum { ACQ_DEFAULT = 0, ACQ_STOP_KILL = 1 };

typedef struct {
    BUFFER_HANDLE buffer;
    void *user;
} EVENT_NEW_BUFFER_DATA;

typedef struct {
    uint64_t id;
    ptrdiff_t offset;
    size_t length;
} SINGLE_CHUNK_DATA;

typedef struct {
    uint64_t address;
    void *data;
    size_t size;
} PORT_STACK_ENTRY;

/* What a consumer wants to know: the answer's type, the answer, its size (in: room, out: used). */
#define ANSWER INFO_DATATYPE *type, void *out, size_t *size

GC_API GCInitLib(void);
GC_API GCCloseLib(void);
GC_API GCGetInfo(INFO_COMMAND what, ANSWER);
GC_API GCGetLastError(GC_ERROR *code, char *text, size_t *size);

GC_API GCReadPort(PORT_HANDLE port, uint64_t address, void *data, size_t *size);
GC_API GCWritePort(PORT_HANDLE port, uint64_t address, const void *data, size_t *size);
GC_API GCReadPortStacked(PORT_HANDLE port, PORT_STACK_ENTRY *entries, size_t *count);
GC_API GCWritePortStacked(PORT_HANDLE port, PORT_STACK_ENTRY *entries, size_t *count);
GC_API GCGetPortURL(PORT_HANDLE port, char *url, size_t *size);
GC_API GCGetPortInfo(PORT_HANDLE port, INFO_COMMAND what, ANSWER);
GC_API GCGetNumPortURLs(PORT_HANDLE port, uint32_t *count);
GC_API GCGetPortURLInfo(PORT_HANDLE port, uint32_t index, INFO_COMMAND what, ANSWER);

GC_API GCRegisterEvent(EVENTSRC_HANDLE source, EVENT_TYPE kind, EVENT_HANDLE *event);
GC_API GCUnregisterEvent(EVENTSRC_HANDLE source, EVENT_TYPE kind);
GC_API EventGetData(EVENT_HANDLE event, void *data, size_t *size, uint64_t timeout_ms);
GC_API EventGetDataInfo(
    EVENT_HANDLE event, const void *data, size_t data_size, INFO_COMMAND what, ANSWER);
GC_API EventGetInfo(EVENT_HANDLE event, INFO_COMMAND what, ANSWER);
GC_API EventFlush(EVENT_HANDLE event);
GC_API EventKill(EVENT_HANDLE event);

GC_API TLOpen(TL_HANDLE *system);
GC_API TLClose(TL_HANDLE system);
GC_API TLGetInfo(TL_HANDLE system, INFO_COMMAND what, ANSWER);
GC_API TLUpdateInterfaceList(TL_HANDLE system, bool8_t *changed, uint64_t timeout_ms);
GC_API TLGetNumInterfaces(TL_HANDLE system, uint32_t *count);
GC_API TLGetInterfaceID(TL_HANDLE system, uint32_t index, char *id, size_t *size);
GC_API TLGetInterfaceInfo(TL_HANDLE system, const char *id, INFO_COMMAND what, ANSWER);
GC_API TLOpenInterface(TL_HANDLE system, const char *id, IF_HANDLE *interface);

GC_API IFClose(IF_HANDLE interface);
GC_API IFGetInfo(IF_HANDLE interface, INFO_COMMAND what, ANSWER);
GC_API IFGetParentTL(IF_HANDLE interface, TL_HANDLE *system);
GC_API IFUpdateDeviceList(IF_HANDLE interface, bool8_t *changed, uint64_t timeout_ms);
GC_API IFGetNumDevices(IF_HANDLE interface, uint32_t *count);
GC_API IFGetDeviceID(IF_HANDLE interface, uint32_t index, char *id, size_t *size);
GC_API IFGetDeviceInfo(IF_HANDLE interface, const char *id, INFO_COMMAND what, ANSWER);
GC_API IFOpenDevice(IF_HANDLE interface, const char *id, ACCESS_FLAGS access, DEV_HANDLE *device);

GC_API DevClose(DEV_HANDLE device);
GC_API DevGetInfo(DEV_HANDLE device, INFO_COMMAND what, ANSWER);
GC_API DevGetParentIF(DEV_HANDLE device, IF_HANDLE *interface);
GC_API DevGetPort(DEV_HANDLE device, PORT_HANDLE *port);
GC_API DevGetNumDataStreams(DEV_HANDLE device, uint32_t *count);
GC_API DevGetDataStreamID(DEV_HANDLE device, uint32_t index, char *id, size_t *size);
GC_API DevOpenDataStream(DEV_HANDLE device, const char *id, DS_HANDLE *stream);

GC_API DSClose(DS_HANDLE stream);
GC_API DSGetInfo(DS_HANDLE stream, INFO_COMMAND what, ANSWER);
GC_API DSGetParentDev(DS_HANDLE stream, DEV_HANDLE *device);
GC_API DSStartAcquisition(DS_HANDLE stream, ACQ_FLAGS flags, uint64_t frames);
GC_API DSStopAcquisition(DS_HANDLE stream, ACQ_FLAGS flags);
GC_API DSFlushQueue(DS_HANDLE stream, ACQ_QUEUE operation);
GC_API DSAnnounceBuffer(DS_HANDLE stream, void *memory, size_t size, void *user, BUFFER_HANDLE *buffer);
GC_API DSAllocAndAnnounceBuffer(DS_HANDLE stream, size_t size, void *user, BUFFER_HANDLE *buffer);
GC_API DSQueueBuffer(DS_HANDLE stream, BUFFER_HANDLE buffer);
GC_API DSRevokeBuffer(DS_HANDLE stream, BUFFER_HANDLE buffer, void **memory, void **user);
GC_API DSGetBufferID(DS_HANDLE stream, uint32_t index, BUFFER_HANDLE *buffer);
GC_API DSGetBufferInfo(DS_HANDLE stream, BUFFER_HANDLE buffer, INFO_COMMAND what, ANSWER);
GC_API DSGetBufferChunkData(
    DS_HANDLE stream, BUFFER_HANDLE buffer, SINGLE_CHUNK_DATA *chunks, size_t *count);
GC_API DSGetNumBufferParts(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t *count);
GC_API DSGetBufferPartInfo(
    DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t part, INFO_COMMAND what, ANSWER);

#endif
