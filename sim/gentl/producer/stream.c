/* The data stream: started, stopped, asked. Its thread is the sensor. */
#include <stdlib.h>

#include "producer.h"

/* Ends the sensor's thread; the lock is let go while it is waited for. */
void stop_stream(stream *stopped) {
    if (!stopped->running) return;
    stopped->stopping = true;
    pthread_cond_broadcast(&stopped->wake);
    pthread_t thread = stopped->thread;
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    enter();
    stopped->running = stopped->stopping = false;
    for (buffer *each; (each = oldest(stopped, FILLING)) != NULL;) put_buffer(stopped, each, QUEUED);
}

void close_stream(stream *closed) {
    stop_stream(closed);
    close_events_of(&closed->base);
    free_buffers(closed);
    closed->owner->stream = NULL;
    pthread_cond_destroy(&closed->wake);
    delist(&closed->base);
    free(closed);
}

GC_API DSClose(DS_HANDLE handle) {
    enter();
    stream *closed = find(handle, STREAM);
    if (closed == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    if (closed->stopping) return leave(GC_ERR_BUSY, "the stream is being stopped");
    close_stream(closed);
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DSGetParentDev(DS_HANDLE handle, DEV_HANDLE *out) {
    enter();
    stream *asked = find(handle, STREAM);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    if (out == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *out = asked->owner;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DSStartAcquisition(DS_HANDLE handle, ACQ_FLAGS flags, uint64_t frames) {
    enter();
    stream *started = find(handle, STREAM);
    if (started == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    if (flags != ACQ_DEFAULT || frames == 0) return leave(GC_ERR_INVALID_PARAMETER, "no such start");
    if (started->running) return leave(GC_ERR_RESOURCE_IN_USE, "the stream runs");
    if (!is_there(&started->owner->link)) return leave(GC_ERR_IO, "the camera is gone");
    started->frames_left = frames;
    started->delivered = started->underrun = started->started = 0;
    if (pthread_create(&started->thread, NULL, run_sensor, started) != 0)
        return leave(GC_ERR_OUT_OF_MEMORY, "no thread");
    started->running = true;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DSStopAcquisition(DS_HANDLE handle, ACQ_FLAGS flags) {
    enter();
    stream *stopped = find(handle, STREAM);
    if (stopped == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    if (flags != ACQ_DEFAULT && flags != ACQ_STOP_KILL) return leave(GC_ERR_INVALID_PARAMETER, "no such stop");
    if (stopped->stopping) return leave(GC_ERR_BUSY, "the stream is being stopped");
    if (!stopped->running) return leave(GC_ERR_RESOURCE_IN_USE, "the stream does not run");
    stop_stream(stopped);
    return leave(GC_ERR_SUCCESS, "");
}

static GC_ERROR stream_info(const stream *asked, INFO_COMMAND what, ANSWER) {
    switch (what) {
    case DS_ID: return say_text(STREAM_ID, type, out, size);
    case DS_NUM_DELIVERED: return say_u64(asked->delivered, type, out, size);
    case DS_NUM_UNDERRUN: return say_u64(asked->underrun, type, out, size);
    case DS_NUM_ANNOUNCED: return say_size(asked->announced, type, out, size);
    case DS_NUM_QUEUED: return say_size(count_buffers(asked, QUEUED), type, out, size);
    case DS_NUM_AWAIT_DELIVERY: return say_size(count_buffers(asked, READY), type, out, size);
    case DS_NUM_STARTED: return say_u64(asked->started, type, out, size);
    case DS_PAYLOAD_SIZE: return say_size(payload_bytes(&asked->owner->link), type, out, size);
    case DS_IS_GRABBING: return say_bool(asked->running && !asked->stopping, type, out, size);
    case DS_DEFINES_PAYLOADSIZE: return say_bool(true, type, out, size);
    case DS_TLTYPE: return say_text(TLTYPE, type, out, size);
    case DS_NUM_CHUNKS_MAX: return say_size(MOST_CHUNKS, type, out, size);
    case DS_ANNOUNCE_MIN:
    case DS_ALIGNMENT: return say_size(1, type, out, size);
    default: return GC_ERR_NOT_IMPLEMENTED;
    }
}

GC_API DSGetInfo(DS_HANDLE handle, INFO_COMMAND what, ANSWER) {
    enter();
    stream *asked = find(handle, STREAM);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    return leave(stream_info(asked, what, type, out, size), "DSGetInfo");
}
