/* Events: new buffers of a stream, and what the camera itself tells. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer.h"

#define REMOTE_BYTES 16 /* time stamp and frame id */

static event *event_of(const void *source, EVENT_TYPE kind) {
    for (event *each = NULL; (each = next_event(each)) != NULL;)
        if (each->base.parent == source && each->kind == kind) return each;
    return NULL;
}

/* Where an event is registered: the camera tells through its port, whichever handle was used. */
static module *source_of(const void *handle, EVENT_TYPE kind, GC_ERROR *code) {
    module *data = find(handle, STREAM), *owner = find(handle, DEVICE), *port = find(handle, REMOTE);
    module *above = find(handle, SYSTEM) != NULL ? find(handle, SYSTEM) : find(handle, INTERFACE);
    *code = GC_ERR_INVALID_HANDLE;
    if (data == NULL && owner == NULL && port == NULL && above == NULL) return NULL;
    *code = GC_ERR_NOT_IMPLEMENTED;
    if (kind == ON_NEW_BUFFER) return data;
    if (kind != ON_REMOTE_DEVICE) return NULL;
    return owner != NULL ? &((device *)owner)->remote : port;
}

GC_API GCRegisterEvent(EVENTSRC_HANDLE handle, EVENT_TYPE kind, EVENT_HANDLE *out) {
    enter();
    GC_ERROR code;
    module *source = source_of(handle, kind, &code);
    if (source == NULL) return leave(code, "this module has no such event");
    if (out == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (event_of(source, kind) != NULL) return leave(GC_ERR_RESOURCE_IN_USE, "the event is registered");
    event *made = calloc(1, sizeof *made);
    if (made == NULL) return leave(GC_ERR_OUT_OF_MEMORY, "no memory");
    made->kind = kind;
    init_cond(&made->news);
    enlist(&made->base, EVENT, source);
    *out = made;
    return leave(GC_ERR_SUCCESS, "");
}

/* Sends whoever waits home, then frees: the lock is let go meanwhile. */
void close_event(event *closed) {
    delist(&closed->base);
    closed->closing = true;
    while (closed->waiting > 0) {
        pthread_cond_broadcast(&closed->news);
        wait_until(&closed->news, host_ns() + NS_PER_MS);
    }
    pthread_cond_destroy(&closed->news);
    free(closed);
}

GC_API GCUnregisterEvent(EVENTSRC_HANDLE handle, EVENT_TYPE kind) {
    enter();
    GC_ERROR code;
    module *source = source_of(handle, kind, &code);
    if (source == NULL) return leave(code, "this module has no such event");
    event *closed = event_of(source, kind);
    if (closed == NULL) return leave(GC_ERR_NOT_INITIALIZED, "the event is not registered");
    close_event(closed);
    return leave(GC_ERR_SUCCESS, "");
}

void tell_new_buffer(stream *of) {
    event *told = event_of(&of->base, ON_NEW_BUFFER);
    if (told == NULL) return;
    told->fired++;
    pthread_cond_broadcast(&told->news);
}

/* The newest are kept: who does not listen must not find the oldest. */
void tell_remote(device *of, uint64_t number, int64_t t_device_ns, int64_t frame_id) {
    event *told = event_of(&of->remote, ON_REMOTE_DEVICE);
    if (told == NULL) return;
    if (told->count == MOST_EVENTS) told->first = (told->first + 1) % MOST_EVENTS, told->count--;
    int at = (told->first + told->count++) % MOST_EVENTS;
    told->told[at].number = number;
    told->told[at].t_device_ns = t_device_ns;
    told->told[at].frame_id = frame_id;
    told->fired++;
    pthread_cond_broadcast(&told->news);
}

static size_t in_queue(const event *asked) {
    if (asked->kind == ON_NEW_BUFFER) return count_buffers((stream *)asked->base.parent, READY);
    return (size_t)asked->count;
}

static size_t most_bytes(const event *asked) {
    return asked->kind == ON_NEW_BUFFER ? sizeof(EVENT_NEW_BUFFER_DATA) : sizeof(uint64_t) + REMOTE_BYTES;
}

static int64_t error_of(const event *asked) {
    module *source = asked->base.parent;
    device *camera =
        asked->kind == ON_NEW_BUFFER ? ((stream *)source)->owner : (device *)source->parent;
    return fault(&camera->link, FAULT_EVENT_ERROR);
}

static GC_ERROR take(event *from, void *data, size_t *size) {
    uint8_t bytes[sizeof(uint64_t) + REMOTE_BYTES];
    size_t needed = most_bytes(from);
    if (*size < needed) return GC_ERR_BUFFER_TOO_SMALL;
    if (from->kind == ON_NEW_BUFFER) {
        buffer *given = oldest((stream *)from->base.parent, READY);
        EVENT_NEW_BUFFER_DATA told = {given, given->user};
        put_buffer((stream *)from->base.parent, given, HELD);
        memcpy(bytes, &told, sizeof told);
    } else {
        memcpy(bytes, &from->told[from->first], needed);
        from->first = (from->first + 1) % MOST_EVENTS;
        from->count--;
    }
    memcpy(data, bytes, needed);
    *size = needed;
    return GC_ERR_SUCCESS;
}

static int64_t deadline_of(uint64_t timeout_ms) {
    const uint64_t for_ever_ms = 1000ULL * 3600 * 24 * 365;
    return host_ns() + (int64_t)(timeout_ms < for_ever_ms ? timeout_ms : for_ever_ms) * NS_PER_MS;
}

static GC_ERROR wait_for_news(event *on, uint64_t timeout_ms) {
    int64_t deadline_ns = deadline_of(timeout_ms);
    GC_ERROR code = GC_ERR_SUCCESS;
    on->waiting++;
    while (code == GC_ERR_SUCCESS) {
        if (on->closing)
            code = GC_ERR_ABORT;
        else if (on->kills > 0)
            on->kills--, code = GC_ERR_ABORT;
        else if (error_of(on) != 0)
            code = (GC_ERROR)error_of(on);
        else if (in_queue(on) > 0)
            break;
        else if (host_ns() >= deadline_ns)
            code = GC_ERR_TIMEOUT;
        else
            wait_until(&on->news, deadline_ns);
    }
    on->waiting--;
    return code;
}

GC_API EventGetData(EVENT_HANDLE handle, void *data, size_t *size, uint64_t timeout_ms) {
    enter();
    event *asked = find(handle, EVENT);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such event");
    if (data == NULL || size == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the data");
    GC_ERROR code = wait_for_news(asked, timeout_ms);
    return leave(code == GC_ERR_SUCCESS ? take(asked, data, size) : code, "no event");
}

GC_API EventGetDataInfo(EVENT_HANDLE handle, const void *data, size_t data_size, INFO_COMMAND what, ANSWER) {
    enter();
    event *asked = find(handle, EVENT);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such event");
    if (data == NULL || data_size < most_bytes(asked)) return leave(GC_ERR_INVALID_PARAMETER, "no event's data");
    if (asked->kind == ON_NEW_BUFFER) {
        EVENT_NEW_BUFFER_DATA told;
        memcpy(&told, data, sizeof told);
        if (what == EVENT_GIVES_ID) return leave(say_pointer(told.buffer, type, out, size), "EventGetDataInfo");
        if (what == EVENT_GIVES_VALUE) return leave(say_pointer(told.user, type, out, size), "EventGetDataInfo");
        return leave(GC_ERR_NOT_AVAILABLE, "a buffer has no number");
    }
    uint64_t number;
    char text[20];
    memcpy(&number, data, sizeof number);
    switch (what) {
    case EVENT_GIVES_ID: /* hexadecimal, as in the description */
        snprintf(text, sizeof text, "%" PRIx64, number);
        return leave(say_text(text, type, out, size), "EventGetDataInfo");
    case EVENT_GIVES_NUMID: return leave(say_u64(number, type, out, size), "EventGetDataInfo");
    case EVENT_GIVES_VALUE:
        return leave(
            say_bytes((const char *)data + sizeof number, REMOTE_BYTES, type, out, size), "EventGetDataInfo");
    default: return leave(GC_ERR_NOT_IMPLEMENTED, "EventGetDataInfo");
    }
}

GC_API EventGetInfo(EVENT_HANDLE handle, INFO_COMMAND what, ANSWER) {
    enter();
    event *asked = find(handle, EVENT);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such event");
    switch (what) {
    case EVENT_INFO_TYPE: return leave(say_i32(asked->kind, type, out, size), "EventGetInfo");
    case EVENT_INFO_IN_QUEUE: return leave(say_size(in_queue(asked), type, out, size), "EventGetInfo");
    case EVENT_INFO_FIRED: return leave(say_u64(asked->fired, type, out, size), "EventGetInfo");
    case EVENT_INFO_SIZE_MAX: return leave(say_size(most_bytes(asked), type, out, size), "EventGetInfo");
    case EVENT_INFO_DATA_MAX:
        return leave(
            say_size(asked->kind == ON_NEW_BUFFER ? sizeof(void *) : REMOTE_BYTES, type, out, size),
            "EventGetInfo");
    default: return leave(GC_ERR_NOT_IMPLEMENTED, "EventGetInfo");
    }
}

GC_API EventFlush(EVENT_HANDLE handle) {
    enter();
    event *flushed = find(handle, EVENT);
    if (flushed == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such event");
    flushed->count = 0;
    stream *of = flushed->kind == ON_NEW_BUFFER ? (stream *)flushed->base.parent : NULL;
    for (buffer *each; of != NULL && (each = oldest(of, READY)) != NULL;) put_buffer(of, each, ANNOUNCED);
    return leave(GC_ERR_SUCCESS, "");
}

GC_API EventKill(EVENT_HANDLE handle) {
    enter();
    event *killed = find(handle, EVENT);
    if (killed == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such event");
    killed->kills++;
    pthread_cond_broadcast(&killed->news);
    return leave(GC_ERR_SUCCESS, "");
}
