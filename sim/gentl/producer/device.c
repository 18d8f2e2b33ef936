/* A device: one camera that this process has open, and the only data stream it has. */
#include <stdlib.h>
#include <string.h>

#include "producer.h"

GC_ERROR open_link(device *made, const char *address, ACCESS_FLAGS access) {
    GC_ERROR code = attach(&made->link, address);
    if (code != GC_ERR_SUCCESS) return code;
    link_control *shared = made->link.shared;
    made->writable = access != OPEN_READONLY;
    if (fault(&made->link, FAULT_OPEN_ERROR) != 0)
        code = (GC_ERROR)fault(&made->link, FAULT_OPEN_ERROR);
    else if (!is_there(&made->link))
        code = GC_ERR_IO;
    else if (made->writable && !take_control(&made->link))
        code = GC_ERR_ACCESS_DENIED;
    if (code != GC_ERR_SUCCESS) {
        detach(&made->link);
        return code;
    }
    if (made->writable) {
        /* whoever had it before may have died while it streamed */
        __atomic_store_n(&shared->acquiring, 0, __ATOMIC_RELEASE);
        set_register(shared, REG_TLParamsLocked, 0);
        made->reboots = __atomic_load_n(&shared->reboots, __ATOMIC_ACQUIRE);
        if (made->reboots != shared->rebooted) reboot(made);
        made->silent = false;
    }
    return GC_ERR_SUCCESS;
}

void close_device(device *closed) {
    if (closed->stream != NULL) close_stream(closed->stream);
    close_events_of(&closed->base);
    close_events_of(&closed->remote);
    if (closed->writable) __atomic_store_n(&closed->link.shared->acquiring, 0, __ATOMIC_RELEASE);
    detach(&closed->link);
    delist(&closed->remote);
    delist(&closed->base);
    free(closed);
}

GC_API DevClose(DEV_HANDLE handle) {
    enter();
    device *closed = find(handle, DEVICE);
    if (closed == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such device");
    close_device(closed);
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DevGetInfo(DEV_HANDLE handle, INFO_COMMAND what, ANSWER) {
    enter();
    device *asked = find(handle, DEVICE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such device");
    int32_t access = asked->writable ? ACCESS_OPEN_READWRITE : ACCESS_OPEN_READONLY;
    if (!is_there(&asked->link)) access = ACCESS_NOACCESS;
    return leave(device_info(&asked->link, access, what, type, out, size), "DevGetInfo");
}

GC_API DevGetParentIF(DEV_HANDLE handle, IF_HANDLE *interface) {
    enter();
    device *asked = find(handle, DEVICE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such device");
    if (interface == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *interface = asked->base.parent;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DevGetPort(DEV_HANDLE handle, PORT_HANDLE *port) {
    enter();
    device *asked = find(handle, DEVICE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such device");
    if (port == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *port = &asked->remote;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DevGetNumDataStreams(DEV_HANDLE handle, uint32_t *count) {
    enter();
    if (find(handle, DEVICE) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such device");
    if (count == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the count");
    *count = 1;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DevGetDataStreamID(DEV_HANDLE handle, uint32_t index, char *id, size_t *size) {
    enter();
    if (find(handle, DEVICE) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such device");
    if (index != 0) return leave(GC_ERR_INVALID_INDEX, "there is one data stream");
    return leave(say_id(STREAM_ID, id, size), "DevGetDataStreamID");
}

GC_API DevOpenDataStream(DEV_HANDLE handle, const char *id, DS_HANDLE *out) {
    enter();
    device *owner = find(handle, DEVICE);
    if (owner == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such device");
    if (out == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (id == NULL || strcmp(id, STREAM_ID) != 0) return leave(GC_ERR_INVALID_ID, "no such stream");
    if (!owner->writable) return leave(GC_ERR_ACCESS_DENIED, "the device is open for reading only");
    if (owner->stream != NULL) return leave(GC_ERR_RESOURCE_IN_USE, "the stream is open");
    stream *made = calloc(1, sizeof *made);
    if (made == NULL) return leave(GC_ERR_OUT_OF_MEMORY, "no memory");
    made->owner = owner;
    init_cond(&made->wake);
    enlist(&made->base, STREAM, &owner->base);
    owner->stream = made;
    *out = made;
    return leave(GC_ERR_SUCCESS, "");
}
