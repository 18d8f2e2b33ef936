/* What GenTL 1.6 knows and this producer does not offer; a consumer that asks is told so. */
#include "producer.h"

#define UNOFFERED GC_ERR_NOT_IMPLEMENTED

GC_API DSAnnounceCompositeBuffer(DS_HANDLE of, size_t segments, void **list, void *user, BUFFER_HANDLE *out_buffer);
GC_API DSGetBufferInfoStacked(DS_HANDLE of, BUFFER_HANDLE which, void *entries, size_t count);
GC_API DSGetBufferPartInfoStacked(DS_HANDLE of, BUFFER_HANDLE which, void *entries, size_t count);
GC_API DSGetNumFlows(DS_HANDLE of, uint32_t *count);
GC_API DSGetFlowInfo(DS_HANDLE of, uint32_t index, INFO_COMMAND what, ANSWER);
GC_API DSGetNumBufferSegments(DS_HANDLE of, BUFFER_HANDLE which, uint32_t *count);
GC_API DSGetBufferSegmentInfo(DS_HANDLE of, BUFFER_HANDLE which, uint32_t index, INFO_COMMAND what, ANSWER);

GC_API DSAnnounceCompositeBuffer(DS_HANDLE of, size_t segments, void **list, void *user, BUFFER_HANDLE *out_buffer) {
    (void)of, (void)segments, (void)list, (void)user, (void)out_buffer;
    return UNOFFERED;
}

GC_API DSGetBufferInfoStacked(DS_HANDLE of, BUFFER_HANDLE which, void *entries, size_t count) {
    (void)of, (void)which, (void)entries, (void)count;
    return UNOFFERED;
}

GC_API DSGetBufferPartInfoStacked(DS_HANDLE of, BUFFER_HANDLE which, void *entries, size_t count) {
    (void)of, (void)which, (void)entries, (void)count;
    return UNOFFERED;
}

GC_API DSGetNumFlows(DS_HANDLE of, uint32_t *count) {
    (void)of, (void)count;
    return UNOFFERED;
}

GC_API DSGetFlowInfo(DS_HANDLE of, uint32_t index, INFO_COMMAND what, ANSWER) {
    (void)of, (void)index, (void)what, (void)type, (void)out, (void)size;
    return UNOFFERED;
}

GC_API DSGetNumBufferSegments(DS_HANDLE of, BUFFER_HANDLE which, uint32_t *count) {
    (void)of, (void)which, (void)count;
    return UNOFFERED;
}

GC_API DSGetBufferSegmentInfo(DS_HANDLE of, BUFFER_HANDLE which, uint32_t index, INFO_COMMAND what, ANSWER) {
    (void)of, (void)which, (void)index, (void)what, (void)type, (void)out, (void)size;
    return UNOFFERED;
}
