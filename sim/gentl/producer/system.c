/* The system: one per process, with one interface. */
#include <stdlib.h>
#include <string.h>

#include "producer.h"

static module *opened;

static GC_ERROR system_info(INFO_COMMAND what, ANSWER) {
    switch (what) {
    case TL_ID: return say_text("voxgate-virtual-cameras", type, out, size);
    case TL_VENDOR: return say_text(VENDOR, type, out, size);
    case TL_MODEL: return say_text("Virtual cameras", type, out, size);
    case TL_VERSION: return say_text(VERSION, type, out, size);
    case TL_TLTYPE: return say_text(TLTYPE, type, out, size);
    case TL_NAME: return say_text("voxgate.cti", type, out, size);
    case TL_PATHNAME: return say_text("voxgate.cti", type, out, size);
    case TL_DISPLAYNAME: return say_text("VoxGate virtual cameras", type, out, size);
    case TL_CHAR_ENCODING: return say_i32(1, type, out, size); /* UTF-8 */
    case TL_GENTL_MAJOR: return say_u32(1, type, out, size);
    case TL_GENTL_MINOR: return say_u32(6, type, out, size);
    default: return GC_ERR_NOT_IMPLEMENTED;
    }
}

GC_API GCGetInfo(INFO_COMMAND what, ANSWER) {
    enter();
    return leave(system_info(what, type, out, size), "GCGetInfo");
}

GC_API TLOpen(TL_HANDLE *handle) {
    enter();
    if (!ready()) return leave(GC_ERR_NOT_INITIALIZED, "GCInitLib was not called");
    if (handle == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (opened != NULL) return leave(GC_ERR_RESOURCE_IN_USE, "the system is open");
    module *made = calloc(1, sizeof *made);
    if (made == NULL) return leave(GC_ERR_OUT_OF_MEMORY, "no memory");
    enlist(made, SYSTEM, NULL);
    *handle = opened = made;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API TLClose(TL_HANDLE handle) {
    enter();
    module *system = find(handle, SYSTEM);
    if (system == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    for (module *child; (child = first_child(system)) != NULL;) close_interface(child);
    close_events_of(system);
    delist(system);
    free(system);
    opened = NULL;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API TLGetInfo(TL_HANDLE handle, INFO_COMMAND what, ANSWER) {
    enter();
    if (find(handle, SYSTEM) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    return leave(system_info(what, type, out, size), "TLGetInfo");
}

GC_API TLUpdateInterfaceList(TL_HANDLE handle, bool8_t *changed, uint64_t timeout_ms) {
    (void)timeout_ms;
    enter();
    if (find(handle, SYSTEM) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    if (changed != NULL) *changed = 0;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API TLGetNumInterfaces(TL_HANDLE handle, uint32_t *count) {
    enter();
    if (find(handle, SYSTEM) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    if (count == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the count");
    *count = 1;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API TLGetInterfaceID(TL_HANDLE handle, uint32_t index, char *id, size_t *size) {
    enter();
    if (find(handle, SYSTEM) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    if (index != 0) return leave(GC_ERR_INVALID_INDEX, "there is one interface");
    return leave(say_id(INTERFACE_ID, id, size), "TLGetInterfaceID");
}

static GC_ERROR interface_info(INFO_COMMAND what, ANSWER) {
    switch (what) {
    case IF_ID: return say_text(INTERFACE_ID, type, out, size);
    case IF_DISPLAYNAME: return say_text("Shared memory of this machine", type, out, size);
    case IF_TLTYPE: return say_text(TLTYPE, type, out, size);
    default: return GC_ERR_NOT_IMPLEMENTED;
    }
}

GC_API TLGetInterfaceInfo(TL_HANDLE handle, const char *id, INFO_COMMAND what, ANSWER) {
    enter();
    if (find(handle, SYSTEM) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    if (id == NULL || strcmp(id, INTERFACE_ID) != 0) return leave(GC_ERR_INVALID_ID, "no such interface");
    return leave(interface_info(what, type, out, size), "TLGetInterfaceInfo");
}

GC_API IFGetInfo(IF_HANDLE handle, INFO_COMMAND what, ANSWER) {
    enter();
    if (find(handle, INTERFACE) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    return leave(interface_info(what, type, out, size), "IFGetInfo");
}

GC_API TLOpenInterface(TL_HANDLE handle, const char *id, IF_HANDLE *interface) {
    enter();
    module *system = find(handle, SYSTEM);
    if (system == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    if (interface == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (id == NULL || strcmp(id, INTERFACE_ID) != 0) return leave(GC_ERR_INVALID_ID, "no such interface");
    if (first_child(system) != NULL) return leave(GC_ERR_RESOURCE_IN_USE, "the interface is open");
    module *made = calloc(1, sizeof *made);
    if (made == NULL) return leave(GC_ERR_OUT_OF_MEMORY, "no memory");
    enlist(made, INTERFACE, system);
    *interface = made;
    return leave(GC_ERR_SUCCESS, "");
}
