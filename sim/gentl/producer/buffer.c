/* Buffers: who has them, and what is in them. */
#include <stdlib.h>

#include "producer.h"

buffer *oldest(const stream *of, buffer_state state) {
    buffer *found = NULL;
    for (buffer *each = of->buffers; each != NULL; each = each->next)
        if (each->state == state && (found == NULL || each->turn < found->turn)) found = each;
    return found;
}

uint32_t count_buffers(const stream *of, buffer_state state) {
    uint32_t count = 0;
    for (const buffer *each = of->buffers; each != NULL; each = each->next) count += each->state == state;
    return count;
}

void put_buffer(stream *of, buffer *moved, buffer_state state) {
    moved->state = state;
    moved->turn = ++of->turns;
}

void free_buffers(stream *of) {
    while (of->buffers != NULL) {
        buffer *freed = of->buffers;
        of->buffers = freed->next;
        if (freed->ours) free(freed->memory);
        free(freed);
    }
    of->announced = 0;
}

static buffer *find_buffer(const stream *of, const void *handle) {
    for (buffer *each = of->buffers; each != NULL; each = each->next)
        if (each == handle) return each;
    return NULL;
}

static GC_ERROR announce(stream *of, void *memory, size_t size, void *user, bool ours, BUFFER_HANDLE *out) {
    if (of->announced >= MOST_BUFFERS) return GC_ERR_OUT_OF_MEMORY;
    for (const buffer *each = of->buffers; each != NULL; each = each->next)
        if (each->memory == memory) return GC_ERR_RESOURCE_IN_USE;
    buffer *made = calloc(1, sizeof *made);
    if (made == NULL) return GC_ERR_OUT_OF_MEMORY;
    made->memory = memory, made->size = size, made->user = user, made->ours = ours;
    buffer **end = &of->buffers;
    while (*end != NULL) end = &(*end)->next;
    *end = made;
    of->announced++;
    *out = made;
    return GC_ERR_SUCCESS;
}

GC_API DSAnnounceBuffer(DS_HANDLE handle, void *memory, size_t size, void *user, BUFFER_HANDLE *out) {
    enter();
    stream *of = find(handle, STREAM);
    if (of == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    if (memory == NULL || size == 0 || out == NULL)
        return leave(GC_ERR_INVALID_PARAMETER, "a buffer is memory with a size");
    return leave(announce(of, memory, size, user, false, out), "the buffer cannot be announced");
}

GC_API DSAllocAndAnnounceBuffer(DS_HANDLE handle, size_t size, void *user, BUFFER_HANDLE *out) {
    enter();
    stream *of = find(handle, STREAM);
    if (of == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    if (size == 0 || out == NULL) return leave(GC_ERR_INVALID_PARAMETER, "a buffer has a size");
    void *memory = calloc(1, size);
    if (memory == NULL) return leave(GC_ERR_OUT_OF_MEMORY, "no memory");
    GC_ERROR code = announce(of, memory, size, user, true, out);
    if (code != GC_ERR_SUCCESS) free(memory);
    return leave(code, "the buffer cannot be announced");
}

GC_API DSQueueBuffer(DS_HANDLE handle, BUFFER_HANDLE which) {
    enter();
    stream *of = find(handle, STREAM);
    buffer *queued = of == NULL ? NULL : find_buffer(of, which);
    if (queued == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream or buffer");
    if (queued->state != ANNOUNCED && queued->state != HELD)
        return leave(GC_ERR_RESOURCE_IN_USE, "the buffer is queued");
    put_buffer(of, queued, QUEUED);
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DSRevokeBuffer(DS_HANDLE handle, BUFFER_HANDLE which, void **memory, void **user) {
    enter();
    stream *of = find(handle, STREAM);
    buffer *revoked = of == NULL ? NULL : find_buffer(of, which);
    if (revoked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream or buffer");
    if (revoked->state != ANNOUNCED && revoked->state != HELD)
        return leave(GC_ERR_BUSY, "the buffer is queued: flush first");
    if (memory != NULL) *memory = revoked->ours ? NULL : revoked->memory;
    if (user != NULL) *user = revoked->user;
    buffer **link = &of->buffers;
    while (*link != revoked) link = &(*link)->next;
    *link = revoked->next;
    if (revoked->ours) free(revoked->memory);
    free(revoked);
    of->announced--;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API DSGetBufferID(DS_HANDLE handle, uint32_t index, BUFFER_HANDLE *out) {
    enter();
    stream *of = find(handle, STREAM);
    if (of == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    if (out == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (index >= of->announced) return leave(GC_ERR_INVALID_INDEX, "no such buffer");
    buffer *each = of->buffers;
    while (index-- > 0) each = each->next;
    *out = each;
    return leave(GC_ERR_SUCCESS, "");
}

static void move_all(stream *of, buffer_state from, buffer_state to) {
    for (buffer *each; (each = oldest(of, from)) != NULL;) put_buffer(of, each, to);
}

GC_API DSFlushQueue(DS_HANDLE handle, ACQ_QUEUE operation) {
    enter();
    stream *of = find(handle, STREAM);
    if (of == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream");
    switch (operation) {
    case QUEUE_INPUT_TO_OUTPUT:
        for (buffer *each; (each = oldest(of, QUEUED)) != NULL;) {
            each->has_frame = false;
            put_buffer(of, each, READY);
            tell_new_buffer(of);
        }
        break;
    case QUEUE_OUTPUT_DISCARD: move_all(of, READY, ANNOUNCED); break;
    case QUEUE_ALL_TO_INPUT:
        move_all(of, READY, QUEUED);
        move_all(of, HELD, QUEUED);
        move_all(of, ANNOUNCED, QUEUED);
        break;
    case QUEUE_UNQUEUED_TO_INPUT:
        move_all(of, HELD, QUEUED);
        move_all(of, ANNOUNCED, QUEUED);
        break;
    case QUEUE_ALL_DISCARD:
        move_all(of, QUEUED, ANNOUNCED);
        move_all(of, READY, ANNOUNCED);
        break;
    default: return leave(GC_ERR_INVALID_PARAMETER, "no such operation");
    }
    return leave(GC_ERR_SUCCESS, "");
}

/* what is in them ------------------------------------------------------------------------------ */

static GC_ERROR place_info(const stream *of, const buffer *asked, INFO_COMMAND what, ANSWER) {
    switch (what) {
    case BUF_BASE: return say_pointer(asked->memory, type, out, size);
    case BUF_SIZE: return say_size(asked->size, type, out, size);
    case BUF_USER_PTR: return say_pointer(asked->user, type, out, size);
    case BUF_NEW_DATA: return say_bool(asked->has_frame && asked->state >= READY, type, out, size);
    case BUF_IS_QUEUED: return say_bool(asked->state == QUEUED || asked->state == READY, type, out, size);
    case BUF_IS_ACQUIRING: return say_bool(asked->state == FILLING, type, out, size);
    case BUF_TLTYPE: return say_text(TLTYPE, type, out, size);
    case BUF_IS_COMPOSITE: return say_bool(false, type, out, size);
    default: (void)of; return GC_ERR_NOT_IMPLEMENTED;
    }
}

static GC_ERROR image_info(const camera_link *link, const buffer *asked, INFO_COMMAND what, ANSWER) {
    const part *image = &asked->parts[0];
    if (asked->part_count != 1) return GC_ERR_NO_DATA; /* each part tells its own */
    bool height = what == BUF_HEIGHT || what == BUF_DELIVERED_HEIGHT;
    if (what == BUF_WIDTH && is_silent(link, SILENT_WIDTH)) return GC_ERR_NOT_IMPLEMENTED;
    if (height && is_silent(link, SILENT_HEIGHT)) return GC_ERR_NOT_IMPLEMENTED;
    if (what == BUF_PIXELFORMAT && is_silent(link, SILENT_PIXELFORMAT)) return GC_ERR_NOT_IMPLEMENTED;
    switch (what) {
    case BUF_WIDTH: return say_size((size_t)image->width, type, out, size);
    case BUF_HEIGHT:
    case BUF_DELIVERED_HEIGHT: return say_size((size_t)image->height, type, out, size);
    case BUF_XOFFSET: return say_size((size_t)image->x, type, out, size);
    case BUF_YOFFSET: return say_size((size_t)image->y, type, out, size);
    case BUF_IMAGEOFFSET: return say_size(image->offset, type, out, size);
    case BUF_PIXELFORMAT: return say_u64((uint64_t)image->format, type, out, size);
    default: return say_u64(NAMESPACE_PFNC32, type, out, size);
    }
}

static GC_ERROR frame_info(const camera_link *link, const buffer *asked, INFO_COMMAND what, ANSWER) {
    switch (what) {
    case BUF_TIMESTAMP:
    case BUF_TIMESTAMP_NS: return say_u64((uint64_t)asked->t_device_ns, type, out, size);
    case BUF_IS_INCOMPLETE: return say_bool(asked->incomplete, type, out, size);
    case BUF_SIZE_FILLED: return say_size(asked->filled, type, out, size);
    case BUF_DATA_SIZE: return say_size(asked->image_bytes, type, out, size);
    case BUF_XPADDING: return say_size(asked->part_count > 0 ? asked->parts[0].padding : 0, type, out, size);
    case BUF_YPADDING: return say_size(0, type, out, size);
    case BUF_FRAMEID: return say_u64((uint64_t)asked->frame_id, type, out, size);
    case BUF_IMAGEPRESENT: return say_bool(asked->part_count > 0, type, out, size);
    case BUF_PAYLOADTYPE:
        if (is_silent(link, SILENT_PAYLOADTYPE)) return GC_ERR_NOT_IMPLEMENTED;
        return say_size(asked->part_count == 1 ? PAYLOAD_IMAGE : PAYLOAD_MULTI_PART, type, out, size);
    case BUF_DELIVERED_CHUNKS: return say_size(asked->filled - asked->image_bytes, type, out, size);
    case BUF_ENDIANNESS: return say_i32(ENDIANNESS_LITTLE, type, out, size);
    case BUF_TOO_LARGE: return say_bool(asked->too_large, type, out, size);
    case BUF_HAS_CHUNKS: return say_bool(asked->chunk_count > 0, type, out, size);
    case BUF_WIDTH:
    case BUF_HEIGHT:
    case BUF_XOFFSET:
    case BUF_YOFFSET:
    case BUF_IMAGEOFFSET:
    case BUF_PIXELFORMAT:
    case BUF_PIXELFORMAT_NAMESPACE:
    case BUF_DELIVERED_HEIGHT: return image_info(link, asked, what, type, out, size);
    default: return GC_ERR_NOT_AVAILABLE;
    }
}

GC_API DSGetBufferInfo(DS_HANDLE handle, BUFFER_HANDLE which, INFO_COMMAND what, ANSWER) {
    enter();
    stream *of = find(handle, STREAM);
    buffer *asked = of == NULL ? NULL : find_buffer(of, which);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream or buffer");
    GC_ERROR code = place_info(of, asked, what, type, out, size);
    if (code != GC_ERR_NOT_IMPLEMENTED) return leave(code, "DSGetBufferInfo");
    if (!asked->has_frame) return leave(GC_ERR_NO_DATA, "there is no frame in the buffer");
    return leave(frame_info(&of->owner->link, asked, what, type, out, size), "DSGetBufferInfo");
}

GC_API DSGetNumBufferParts(DS_HANDLE handle, BUFFER_HANDLE which, uint32_t *count) {
    enter();
    stream *of = find(handle, STREAM);
    buffer *asked = of == NULL ? NULL : find_buffer(of, which);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream or buffer");
    if (count == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the count");
    if (!asked->has_frame || asked->part_count == 1) return leave(GC_ERR_NO_DATA, "not multi-part");
    *count = (uint32_t)asked->part_count;
    return leave(GC_ERR_SUCCESS, "");
}

static size_t kind_of_part(const part *asked) {
    if (asked->component == COMPONENT_Confidence) return PART_CONFIDENCE;
    return is_3d(asked->component) ? PART_3D_IMAGE : PART_2D_IMAGE;
}

static GC_ERROR part_info(const buffer *of, const part *asked, INFO_COMMAND what, ANSWER) {
    switch (what) {
    case PART_BASE: return say_pointer(of->memory + asked->offset, type, out, size);
    case PART_DATA_SIZE: return say_size(asked->bytes, type, out, size);
    case PART_DATA_TYPE: return say_size(kind_of_part(asked), type, out, size);
    case PART_DATA_FORMAT: return say_u64((uint64_t)asked->format, type, out, size);
    case PART_FORMAT_NAMESPACE: return say_u64(NAMESPACE_PFNC32, type, out, size);
    case PART_WIDTH: return say_size((size_t)asked->width, type, out, size);
    case PART_HEIGHT:
    case PART_DELIVERED_HEIGHT: return say_size((size_t)asked->height, type, out, size);
    case PART_XOFFSET: return say_size((size_t)asked->x, type, out, size);
    case PART_YOFFSET: return say_size((size_t)asked->y, type, out, size);
    case PART_XPADDING: return say_size(asked->padding, type, out, size);
    case PART_SOURCE_ID:
    case PART_REGION_ID: return say_u64(0, type, out, size);
    case PART_PURPOSE_ID: return say_u64((uint64_t)asked->component, type, out, size);
    default: return GC_ERR_NOT_AVAILABLE;
    }
}

GC_API DSGetBufferPartInfo(DS_HANDLE handle, BUFFER_HANDLE which, uint32_t index, INFO_COMMAND what, ANSWER) {
    enter();
    stream *of = find(handle, STREAM);
    buffer *asked = of == NULL ? NULL : find_buffer(of, which);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream or buffer");
    if (!asked->has_frame || asked->part_count == 1) return leave(GC_ERR_NO_DATA, "not multi-part");
    if (index >= (uint32_t)asked->part_count) return leave(GC_ERR_INVALID_INDEX, "no such part");
    return leave(part_info(asked, &asked->parts[index], what, type, out, size), "DSGetBufferPartInfo");
}

GC_API DSGetBufferChunkData(DS_HANDLE handle, BUFFER_HANDLE which, SINGLE_CHUNK_DATA *chunks, size_t *count) {
    enter();
    stream *of = find(handle, STREAM);
    buffer *asked = of == NULL ? NULL : find_buffer(of, which);
    if (asked == NULL) return leave(GC_ERR_INVALID_HANDLE, "no such stream or buffer");
    if (count == NULL) return leave(GC_ERR_INVALID_PARAMETER, "no place for the count");
    if (!asked->has_frame || asked->chunk_count == 0) return leave(GC_ERR_NO_DATA, "no chunks");
    size_t room = *count;
    *count = (size_t)asked->chunk_count;
    if (chunks == NULL) return leave(GC_ERR_SUCCESS, "");
    if (room < *count) return leave(GC_ERR_BUFFER_TOO_SMALL, "too little room for the chunks");
    for (int i = 0; i < asked->chunk_count; i++)
        chunks[i] = (SINGLE_CHUNK_DATA){
            asked->chunks[i].id, (ptrdiff_t)asked->chunks[i].offset, asked->chunks[i].length};
    return leave(GC_ERR_SUCCESS, "");
}
