/* The system: one per process, with two interfaces, as of a machine with two network cards. */
#include <stdlib.h>
#include <string.h>

#include "producer.h"

static module *opened;
static const struct {
    const char *id, *name;
} interfaces[INTERFACES] = {
    {"voxgate-memory", "Shared memory of this machine"},
    {"voxgate-memory-2", "Shared memory, the other way"},
};

static int number_of(const char *id) {
    for (int i = 0; id != NULL && i < INTERFACES; i++)
        if (strcmp(interfaces[i].id, id) == 0) return i;
    return -1;
}

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
    for (module *child; (child = first_child(system)) != NULL;) close_interface((interface *)child);
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
    *count = INTERFACES;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API TLGetInterfaceID(TL_HANDLE handle, uint32_t index, char *id, size_t *size) {
    enter();
    if (find(handle, SYSTEM) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    if (index >= INTERFACES) return leave(GC_ERR_INVALID_INDEX, "there are two interfaces");
    return leave(say_id(interfaces[index].id, id, size), "TLGetInterfaceID");
}

static GC_ERROR interface_info(int number, INFO_COMMAND what, ANSWER) {
    switch (what) {
    case IF_ID: return say_text(interfaces[number].id, type, out, size);
    case IF_DISPLAYNAME: return say_text(interfaces[number].name, type, out, size);
    case IF_TLTYPE: return say_text(TLTYPE, type, out, size);
    default: return GC_ERR_NOT_IMPLEMENTED;
    }
}

GC_API TLGetInterfaceInfo(TL_HANDLE handle, const char *id, INFO_COMMAND what, ANSWER) {
    enter();
    if (find(handle, SYSTEM) == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    int number = number_of(id);
    if (number < 0) return leave(GC_ERR_INVALID_ID, "no such interface");
    return leave(interface_info(number, what, type, out, size), "TLGetInterfaceInfo");
}

GC_API IFGetInfo(IF_HANDLE handle, INFO_COMMAND what, ANSWER) {
    enter();
    const interface *asked = find(handle, INTERFACE);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such interface");
    return leave(interface_info(asked->number, what, type, out, size), "IFGetInfo");
}

static bool is_open(int number) {
    for (module *each = NULL; (each = next_interface(each)) != NULL;)
        if (((interface *)each)->number == number) return true;
    return false;
}

GC_API TLOpenInterface(TL_HANDLE handle, const char *id, IF_HANDLE *out) {
    enter();
    module *system = find(handle, SYSTEM);
    if (system == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such system");
    int number = number_of(id);
    if (out == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (number < 0) return leave(GC_ERR_INVALID_ID, "no such interface");
    if (is_open(number)) return leave(GC_ERR_RESOURCE_IN_USE, "the interface is open");
    interface *made = calloc(1, sizeof *made);
    if (made == NULL) return leave(GC_ERR_OUT_OF_MEMORY, "no memory");
    made->number = number;
    enlist(&made->base, INTERFACE, system);
    *out = made;
    return leave(GC_ERR_SUCCESS, "");
}
