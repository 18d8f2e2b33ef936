/* Answers to the many Get...Info questions, in the manner of the standard: without room for the
 * answer its size is told, with too little room the question fails. */
#include <string.h>

#include "producer.h"

static GC_ERROR say(const void *value, size_t needed, INFO_DATATYPE kind, ANSWER) {
    if (size == NULL) return GC_ERR_INVALID_PARAMETER;
    if (type != NULL) *type = kind;
    size_t room = *size;
    *size = needed;
    if (out == NULL) return GC_ERR_SUCCESS;
    if (room < needed) return GC_ERR_BUFFER_TOO_SMALL;
    memcpy(out, value, needed);
    return GC_ERR_SUCCESS;
}

GC_ERROR say_text(const char *text, ANSWER) {
    return say(text, strlen(text) + 1, TYPE_STRING, type, out, size);
}

GC_ERROR say_id(const char *text, char *out, size_t *size) {
    return say(text, strlen(text) + 1, TYPE_STRING, NULL, out, size);
}

GC_ERROR say_i32(int32_t value, ANSWER) {
    return say(&value, sizeof value, TYPE_INT32, type, out, size);
}

GC_ERROR say_u32(uint32_t value, ANSWER) {
    return say(&value, sizeof value, TYPE_UINT32, type, out, size);
}

GC_ERROR say_u64(uint64_t value, ANSWER) {
    return say(&value, sizeof value, TYPE_UINT64, type, out, size);
}

GC_ERROR say_size(size_t value, ANSWER) {
    return say(&value, sizeof value, TYPE_SIZET, type, out, size);
}

GC_ERROR say_bool(bool value, ANSWER) {
    bool8_t byte = value;
    return say(&byte, sizeof byte, TYPE_BOOL8, type, out, size);
}

GC_ERROR say_pointer(const void *value, ANSWER) {
    return say(&value, sizeof value, TYPE_PTR, type, out, size);
}

GC_ERROR say_bytes(const void *bytes, size_t count, ANSWER) {
    return say(bytes, count, TYPE_BUFFER, type, out, size);
}
