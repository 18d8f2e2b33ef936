/* An interface: the cameras whose files stand in shared memory and that are reached over it. */
#include <stdlib.h>
#include <string.h>

#include "producer.h"

void close_interface(interface *closed) {
    for (module *child; (child = first_child(&closed->base)) != NULL;) close_device((device *)child);
    close_events_of(&closed->base);
    delist(&closed->base);
    free(closed);
}

GC_API IFClose(IF_HANDLE handle) {
    enter();
    interface *closed = find(handle, INTERFACE);
    if (closed == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    close_interface(closed);
    return leave(GC_ERR_SUCCESS, "");
}

GC_API IFGetParentTL(IF_HANDLE handle, TL_HANDLE *system) {
    enter();
    const interface *asked = find(handle, INTERFACE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    if (system == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *system = asked->base.parent;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API IFUpdateDeviceList(IF_HANDLE handle, bool8_t *changed, uint64_t timeout_ms) {
    (void)timeout_ms;
    enter();
    interface *asked = find(handle, INTERFACE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    char found[MOST_DEVICES][TEXT_BYTES] = {{0}};
    int count = list_cameras(asked->number, found);
    bool differs = count != asked->listed_count || memcmp(found, asked->listed, sizeof found) != 0;
    memcpy(asked->listed, found, sizeof found);
    asked->listed_count = count;
    if (changed != NULL) *changed = differs;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API IFGetNumDevices(IF_HANDLE handle, uint32_t *count) {
    enter();
    const interface *asked = find(handle, INTERFACE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    if (count == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the count");
    *count = (uint32_t)asked->listed_count;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API IFGetDeviceID(IF_HANDLE handle, uint32_t index, char *id, size_t *size) {
    enter();
    const interface *asked = find(handle, INTERFACE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    if (index >= (uint32_t)asked->listed_count) return leave(GC_ERR_INVALID_INDEX, "no such device");
    return leave(say_id(asked->listed[index], id, size), "IFGetDeviceID");
}

static bool is_listed(const interface *by, const char *id) {
    for (int i = 0; id != NULL && i < by->listed_count; i++)
        if (strcmp(by->listed[i], id) == 0) return true;
    return false;
}

static device *open_device(const char *address) {
    for (module *each = NULL; (each = next_device(each)) != NULL;)
        if (strcmp(((device *)each)->link.address, address) == 0) return (device *)each;
    return NULL;
}

GC_ERROR device_info(camera_link *link, int32_t access, INFO_COMMAND what, ANSWER) {
    char text[2 * TEXT_BYTES + 4];
    switch (what) {
    case DEV_ID: return say_text(link->address, type, out, size);
    case DEV_VENDOR: return say_text(link->plan.vendor, type, out, size);
    case DEV_MODEL: return say_text(link->plan.model, type, out, size);
    case DEV_TLTYPE: return say_text(link->plan.frame_id_bits == 16 ? "GEV" : TLTYPE, type, out, size);
    case DEV_DISPLAYNAME:
        copy_serial(link, text);
        return say_text(text, type, out, size);
    case DEV_ACCESS_STATUS: return say_i32(access, type, out, size);
    case DEV_USER_NAME:
        copy_text(text, (const char *)link->shared->registers + REG_DeviceUserID);
        return say_text(text, type, out, size);
    case DEV_SERIAL:
        if (is_silent(link, SILENT_SERIAL)) return GC_ERR_NOT_AVAILABLE;
        copy_serial(link, text);
        return say_text(text, type, out, size);
    case DEV_VERSION: return say_text(link->plan.version, type, out, size);
    case DEV_TIMESTAMP_HZ: return say_u64(NS_PER_S, type, out, size);
    default: return GC_ERR_NOT_IMPLEMENTED;
    }
}

GC_API IFGetDeviceInfo(IF_HANDLE handle, const char *id, INFO_COMMAND what, ANSWER) {
    enter();
    const interface *asked = find(handle, INTERFACE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    if (!is_listed(asked, id)) return leave(GC_ERR_INVALID_ID, "no such device");
    device *opened = open_device(id);
    if (opened != NULL) {
        int32_t access = opened->writable ? ACCESS_OPEN_READWRITE : ACCESS_OPEN_READONLY;
        return leave(device_info(&opened->link, access, what, type, out, size), "IFGetDeviceInfo");
    }
    camera_link link;
    GC_ERROR code = attach(&link, id);
    if (code != GC_ERR_SUCCESS) return leave(code, "the camera is gone");
    int32_t access = is_controlled(&link) ? ACCESS_BUSY : ACCESS_READWRITE;
    code = device_info(&link, access, what, type, out, size);
    detach(&link);
    return leave(code, "IFGetDeviceInfo");
}

GC_API IFOpenDevice(IF_HANDLE handle, const char *id, ACCESS_FLAGS access, DEV_HANDLE *out) {
    enter();
    interface *asked = find(handle, INTERFACE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    if (out == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (!is_listed(asked, id)) return leave(GC_ERR_INVALID_ID, "no such device");
    if (open_device(id) != NULL) return leave(GC_ERR_RESOURCE_IN_USE, "this process has it open");
    if (access < OPEN_READONLY || access > OPEN_EXCLUSIVE)
        return leave(GC_ERR_INVALID_PARAMETER, "access is readonly, control or exclusive");
    device *made = calloc(1, sizeof *made);
    if (made == NULL) return leave(GC_ERR_OUT_OF_MEMORY, "no memory");
    GC_ERROR code = open_link(made, id, access);
    if (code != GC_ERR_SUCCESS) {
        free(made);
        return leave(code, "the camera cannot be opened");
    }
    enlist(&made->base, DEVICE, &asked->base);
    enlist(&made->remote, REMOTE, &made->base);
    *out = made;
    return leave(GC_ERR_SUCCESS, "");
}
