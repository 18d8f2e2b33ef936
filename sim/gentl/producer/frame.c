/* What a buffer holds once a frame is in it: parts, chunks, and how much of it is whole. */
#include <string.h>

#include "producer.h"

#define UNKNOWN_FORMAT 0x81080001 /* a vendor's own */
#define WORD 8

static void add_chunk(buffer *to, uint64_t id, const void *value) {
    chunk *made = &to->chunks[to->chunk_count++];
    *made = (chunk){id, to->filled, WORD};
    memcpy(to->memory + to->filled, value, WORD);
    to->filled += WORD;
}

static bool wants_chunk(const camera_link *link, int id) {
    return get_register(link->shared, REG_ChunkEnable + (id & 7) * WORD) == 1;
}

static void add_chunks(const camera_link *link, buffer *to, int64_t exposure_ns) {
    double exposure_us = (double)exposure_ns / 1000;
    if (get_register(link->shared, REG_ChunkModeActive) != 1) return;
    to->filled = (to->filled + WORD - 1) / WORD * WORD;
    if (to->size < to->filled + MOST_CHUNKS * WORD) return;
    if (wants_chunk(link, CHUNK_Timestamp)) add_chunk(to, CHUNK_Timestamp, &to->t_device_ns);
    if (wants_chunk(link, CHUNK_FrameID)) add_chunk(to, CHUNK_FrameID, &to->frame_id);
    if (wants_chunk(link, CHUNK_ExposureTime)) add_chunk(to, CHUNK_ExposureTime, &exposure_us);
}

/* Copies the picture, without the lock; false when it changed meanwhile or is not there. */
static bool copy_picture(const camera_link *link, buffer *to, int64_t slot) {
    const int64_t *sequence = &link->shared->slot_sequence[slot];
    part parts[MOST_PARTS];
    int count = to->part_count;
    memcpy(parts, to->parts, sizeof parts);
    int64_t before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
    bool whole = before % 2 == 0;
    pthread_mutex_unlock(&lock);
    for (int i = 0; whole && i < count; i++) whole = copy_part(link, slot, &parts[i], to->memory + parts[i].offset);
    enter();
    return whole && before == __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
}

/* Fills a buffer with what stands before the lens now; `incomplete` when it cannot. */
void fill_frame(const camera_link *link, buffer *to, int64_t slot, int64_t exposure_ns) {
    to->has_frame = true;
    to->chunk_count = 0;
    to->part_count = plan_parts(link, to->parts);
    part *last = &to->parts[to->part_count == 0 ? 0 : to->part_count - 1];
    to->image_bytes = to->part_count == 0 ? 0 : last->offset + last->bytes;
    to->too_large = to->image_bytes > to->size;
    to->incomplete = to->part_count == 0 || to->too_large || !copy_picture(link, to, slot);
    to->filled = to->too_large || to->part_count == 0 ? 0 : to->image_bytes;
    if (to->incomplete) return;
    if (commit(link, FAULT_INCOMPLETE)) {
        to->incomplete = true;
        to->filled /= 2;
        return;
    }
    if (commit(link, FAULT_UNKNOWN_FORMAT)) to->parts[0].format = UNKNOWN_FORMAT;
    add_chunks(link, to, exposure_ns);
}
