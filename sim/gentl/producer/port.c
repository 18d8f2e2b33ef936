/* Ports: the camera's registers and description, and those of the data stream. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "producer.h"

#define XML_ADDRESS UINT64_C(0x10000) /* behind the registers */

/* the stream's registers, as in stream.xml */
enum { STREAM_HANDLING = 0x00, STREAM_ANNOUNCED = 0x08, STREAM_DELIVERED = 0x10, STREAM_LOST = 0x18, STREAM_BYTES = 0x20 };

typedef struct {
    const char *name, *file, *xml;
    size_t xml_bytes;
} port_kind;

static bool kind_of(const void *handle, port_kind *kind) {
    if (find(handle, REMOTE) != NULL)
        *kind = (port_kind){"Device", "voxgate_camera.xml", camera_xml_start,
                            (size_t)(camera_xml_end - camera_xml_start)};
    else if (find(handle, STREAM) != NULL)
        *kind = (port_kind){"StreamPort", "voxgate_stream.xml", stream_xml_start,
                            (size_t)(stream_xml_end - stream_xml_start)};
    else if (find(handle, SYSTEM) != NULL)
        *kind = (port_kind){"TLPort", NULL, NULL, 0};
    else if (find(handle, INTERFACE) != NULL)
        *kind = (port_kind){"InterfacePort", NULL, NULL, 0};
    else if (find(handle, DEVICE) != NULL)
        *kind = (port_kind){"DevicePort", NULL, NULL, 0};
    else
        return false;
    return true;
}

static device *remote_of(const void *handle) {
    module *remote = find(handle, REMOTE);
    return remote == NULL ? NULL : (device *)remote->parent;
}

static GC_ERROR link_error(device *of) {
    int64_t code = fault(&of->link, FAULT_PORT_ERROR);
    if (code != 0) return (GC_ERROR)code;
    if (!is_there(&of->link)) return GC_ERR_IO;
    if (of->writable && of->reboots != __atomic_load_n(&of->link.shared->reboots, __ATOMIC_ACQUIRE))
        reboot(of);
    return GC_ERR_SUCCESS;
}

static void image_of_stream(const stream *of, int64_t image[STREAM_BYTES / 8]) {
    image[STREAM_HANDLING / 8] = of->handling;
    image[STREAM_ANNOUNCED / 8] = of->announced;
    image[STREAM_DELIVERED / 8] = (int64_t)of->delivered;
    image[STREAM_LOST / 8] = (int64_t)of->underrun;
}

static GC_ERROR read_port(PORT_HANDLE port, uint64_t address, void *data, size_t bytes) {
    port_kind kind;
    if (!kind_of(port, &kind)) return GC_ERR_INVALID_HANDLE;
    if (kind.xml == NULL) return GC_ERR_NOT_AVAILABLE;
    if (address >= XML_ADDRESS) {
        uint64_t into = address - XML_ADDRESS;
        if (bytes > kind.xml_bytes || into > kind.xml_bytes - bytes) return GC_ERR_INVALID_ADDRESS;
        memcpy(data, kind.xml + into, bytes);
        return GC_ERR_SUCCESS;
    }
    device *camera = remote_of(port);
    if (camera != NULL) {
        GC_ERROR code = link_error(camera);
        return code != GC_ERR_SUCCESS ? code : read_registers(camera, address, data, bytes);
    }
    int64_t image[STREAM_BYTES / 8];
    if (bytes > sizeof image || address > sizeof image - bytes) return GC_ERR_INVALID_ADDRESS;
    image_of_stream(find(port, STREAM), image);
    memcpy(data, (const char *)image + address, bytes);
    return GC_ERR_SUCCESS;
}

static GC_ERROR write_stream(stream *of, uint64_t address, const void *data, size_t bytes) {
    int64_t value;
    if (address != STREAM_HANDLING) return GC_ERR_INVALID_ADDRESS;
    if (bytes != sizeof value) return GC_ERR_INVALID_PARAMETER;
    memcpy(&value, data, sizeof value);
    if (value < OLDEST_FIRST || value > NEWEST_ONLY) return GC_ERR_INVALID_VALUE;
    if (of->running) return GC_ERR_ACCESS_DENIED;
    of->handling = value;
    return GC_ERR_SUCCESS;
}

static GC_ERROR write_port(PORT_HANDLE port, uint64_t address, const void *data, size_t bytes) {
    port_kind kind;
    if (!kind_of(port, &kind)) return GC_ERR_INVALID_HANDLE;
    device *camera = remote_of(port);
    stream *local = find(port, STREAM);
    if (local != NULL) return write_stream(local, address, data, bytes);
    if (camera == NULL) return GC_ERR_NOT_AVAILABLE;
    GC_ERROR code = link_error(camera);
    return code != GC_ERR_SUCCESS ? code : write_register(camera, address, data, bytes);
}

/* A camera that is slow to answer holds up whoever writes, and nobody else. */
static void hesitate(PORT_HANDLE port) {
    enter();
    device *camera = remote_of(port);
    int64_t pause_ms = camera == NULL ? 0 : fault(&camera->link, FAULT_SLOW_WRITE_MS);
    leave(GC_ERR_SUCCESS, "");
    if (pause_ms <= 0 || pause_ms > 600000) return;
    struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * NS_PER_MS};
    nanosleep(&pause, NULL);
}

GC_API GCReadPort(PORT_HANDLE port, uint64_t address, void *data, size_t *size) {
    if (data == NULL || size == NULL) return GC_ERR_INVALID_PARAMETER;
    enter();
    return leave(read_port(port, address, data, *size), "register read failed");
}

GC_API GCWritePort(PORT_HANDLE port, uint64_t address, const void *data, size_t *size) {
    if (data == NULL || size == NULL) return GC_ERR_INVALID_PARAMETER;
    hesitate(port);
    enter();
    return leave(write_port(port, address, data, *size), "register write refused");
}

GC_API GCReadPortStacked(PORT_HANDLE port, PORT_STACK_ENTRY *entries, size_t *count) {
    if (entries == NULL || count == NULL) return GC_ERR_INVALID_PARAMETER;
    for (size_t i = 0, all = *count; i < all; i++) {
        *count = i;
        GC_ERROR code = GCReadPort(port, entries[i].address, entries[i].data, &entries[i].size);
        if (code != GC_ERR_SUCCESS) return code;
        *count = i + 1;
    }
    return GC_ERR_SUCCESS;
}

GC_API GCWritePortStacked(PORT_HANDLE port, PORT_STACK_ENTRY *entries, size_t *count) {
    if (entries == NULL || count == NULL) return GC_ERR_INVALID_PARAMETER;
    for (size_t i = 0, all = *count; i < all; i++) {
        *count = i;
        GC_ERROR code = GCWritePort(port, entries[i].address, entries[i].data, &entries[i].size);
        if (code != GC_ERR_SUCCESS) return code;
        *count = i + 1;
    }
    return GC_ERR_SUCCESS;
}

static GC_ERROR port_info(PORT_HANDLE port, const port_kind *kind, INFO_COMMAND what, ANSWER) {
    device *camera = remote_of(port);
    switch (what) {
    case PORT_ID: return say_text(camera != NULL ? camera->link.address : kind->name, type, out, size);
    case PORT_VENDOR: return say_text(VENDOR, type, out, size);
    case PORT_MODEL: return say_text("VirtualCamera", type, out, size);
    case PORT_TLTYPE: return say_text(TLTYPE, type, out, size);
    case PORT_MODULE:
        return say_text(
            find(port, SYSTEM) != NULL      ? "TLSystem"
            : find(port, INTERFACE) != NULL ? "TLInterface"
            : find(port, DEVICE) != NULL    ? "TLDevice"
            : find(port, STREAM) != NULL    ? "TLDataStream"
                                            : "Device",
            type, out, size);
    case PORT_LITTLE_ENDIAN: return say_bool(true, type, out, size);
    case PORT_BIG_ENDIAN: return say_bool(false, type, out, size);
    case PORT_ACCESS_READ: return say_bool(true, type, out, size);
    case PORT_ACCESS_WRITE: return say_bool(camera == NULL || camera->writable, type, out, size);
    case PORT_ACCESS_NA:
    case PORT_ACCESS_NI: return say_bool(false, type, out, size);
    case PORT_VERSION: return say_text(VERSION, type, out, size);
    case PORT_NAME: return say_text(kind->name, type, out, size);
    default: return GC_ERR_NOT_IMPLEMENTED;
    }
}

GC_API GCGetPortInfo(PORT_HANDLE port, INFO_COMMAND what, ANSWER) {
    enter();
    port_kind kind;
    if (!kind_of(port, &kind)) return leave(GC_ERR_INVALID_HANDLE, "no such port");
    return leave(port_info(port, &kind, what, type, out, size), "GCGetPortInfo");
}

static void url_of(const port_kind *kind, char *url, size_t room) {
    snprintf(url, room, "Local:%s;%" PRIX64 ";%zX", kind->file, XML_ADDRESS, kind->xml_bytes);
}

GC_API GCGetPortURL(PORT_HANDLE port, char *url, size_t *size) {
    return GCGetPortURLInfo(port, 0, URL_URL, NULL, url, size);
}

GC_API GCGetNumPortURLs(PORT_HANDLE port, uint32_t *count) {
    enter();
    port_kind kind;
    if (!kind_of(port, &kind)) return leave(GC_ERR_INVALID_HANDLE, "no such port");
    if (count == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the count");
    if (kind.xml == NULL) return leave(GC_ERR_NOT_AVAILABLE, "this module has no description");
    *count = 1;
    return leave(GC_ERR_SUCCESS, "");
}

static GC_ERROR url_info(const port_kind *kind, INFO_COMMAND what, ANSWER) {
    char url[128];
    switch (what) {
    case URL_URL:
        url_of(kind, url, sizeof url);
        return say_text(url, type, out, size);
    case URL_SCHEMA_MAJOR:
    case URL_SCHEMA_MINOR:
    case URL_FILE_MAJOR: return say_i32(1, type, out, size);
    case URL_FILE_MINOR:
    case URL_FILE_SUBMINOR: return say_i32(0, type, out, size);
    case URL_ADDRESS: return say_u64(XML_ADDRESS, type, out, size);
    case URL_SIZE: return say_u64(kind->xml_bytes, type, out, size);
    case URL_SCHEME: return say_i32(0, type, out, size); /* Local */
    case URL_FILENAME: return say_text(kind->file, type, out, size);
    default: return GC_ERR_NOT_AVAILABLE;
    }
}

GC_API GCGetPortURLInfo(PORT_HANDLE port, uint32_t index, INFO_COMMAND what, ANSWER) {
    enter();
    port_kind kind;
    if (!kind_of(port, &kind)) return leave(GC_ERR_INVALID_HANDLE, "no such port");
    if (kind.xml == NULL) return leave(GC_ERR_NOT_AVAILABLE, "this module has no description");
    if (index != 0) return leave(GC_ERR_INVALID_INDEX, "there is one description");
    return leave(url_info(&kind, what, type, out, size), "GCGetPortURLInfo");
}
