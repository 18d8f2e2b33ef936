/* A GenTL consumer in plain C for memory checkers and fuzzing: no Python, no GenApi.
 *
 *     consumer PRODUCER SERIAL MODE SEED
 *
 * MODE stream: open, set up, take frames, close, twice. MODE as-set: take frames of a camera as
 * it was left. MODE registers: read and write anything, anywhere. MODE hostile: as stream, while
 * somebody scribbles over the shared memory; any answer will do, but one must come. Ends with 0
 * when the producer kept its promises. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gentl.h"
#include "registers.h"

#define FRAMES 20
#define BUFFERS 4
#define PATIENCE_MS 20
#define STEPS 20000

#define CALL(name, ...) ((GC_ERROR(*)())symbol(#name))(__VA_ARGS__)
#define EXPECT(condition)                                                              \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition);      \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

static void *library;
static uint64_t state;
static int patience = 150; /* waits without a frame */

static void *symbol(const char *name) {
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "%s is missing\n", name);
        exit(1);
    }
    return found;
}

static uint64_t any(uint64_t below) { /* splitmix64 */
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (z ^ (z >> 31)) % below;
}

typedef struct {
    void *system, *interface, *device, *port, *stream, *news;
} camera;

static GC_ERROR open_camera(camera *c, const char *serial) {
    uint32_t count = 0;
    char id[128];
    EXPECT(CALL(GCInitLib) == GC_ERR_SUCCESS);
    EXPECT(CALL(TLOpen, &c->system) == GC_ERR_SUCCESS);
    size_t size = sizeof id;
    EXPECT(CALL(TLGetInterfaceID, c->system, 0, id, &size) == GC_ERR_SUCCESS);
    EXPECT(CALL(TLOpenInterface, c->system, id, &c->interface) == GC_ERR_SUCCESS);
    EXPECT(CALL(IFUpdateDeviceList, c->interface, NULL, (uint64_t)100) == GC_ERR_SUCCESS);
    EXPECT(CALL(IFGetNumDevices, c->interface, &count) == GC_ERR_SUCCESS);
    GC_ERROR code = CALL(IFOpenDevice, c->interface, serial, OPEN_EXCLUSIVE, &c->device);
    if (code != GC_ERR_SUCCESS) return code;
    EXPECT(CALL(DevGetPort, c->device, &c->port) == GC_ERR_SUCCESS);
    EXPECT(CALL(DevOpenDataStream, c->device, "stream0", &c->stream) == GC_ERR_SUCCESS);
    EXPECT(CALL(GCRegisterEvent, c->stream, ON_NEW_BUFFER, &c->news) == GC_ERR_SUCCESS);
    return GC_ERR_SUCCESS;
}

static GC_ERROR put(camera *c, uint64_t address, int64_t value) {
    size_t size = sizeof value;
    return CALL(GCWritePort, c->port, address, &value, &size);
}

static GC_ERROR put_float(camera *c, uint64_t address, double value) {
    size_t size = sizeof value;
    return CALL(GCWritePort, c->port, address, &value, &size);
}

static void look_at(camera *c, void *buffer) {
    for (int what = 0; what < 34; what++) {
        uint8_t answer[256];
        size_t size = sizeof answer;
        INFO_DATATYPE type;
        CALL(DSGetBufferInfo, c->stream, buffer, what, &type, answer, &size);
    }
    uint32_t parts = 0;
    size_t chunks = 8;
    SINGLE_CHUNK_DATA told[8];
    CALL(DSGetNumBufferParts, c->stream, buffer, &parts);
    CALL(DSGetBufferChunkData, c->stream, buffer, told, &chunks);
}

static int take_frames(camera *c, int wanted) {
    int taken = 0, waits = 0;
    while (taken < wanted && waits < patience) {
        EVENT_NEW_BUFFER_DATA told;
        size_t size = sizeof told;
        GC_ERROR code = CALL(EventGetData, c->news, &told, &size, (uint64_t)PATIENCE_MS);
        waits += code != GC_ERR_SUCCESS;
        if (code != GC_ERR_SUCCESS) continue;
        look_at(c, told.buffer);
        CALL(DSQueueBuffer, c->stream, told.buffer);
        taken++;
    }
    return taken;
}

static int stream(camera *c, int wanted, size_t payload) {
    void *buffers[BUFFERS];
    uint8_t *memory[BUFFERS];
    for (int i = 0; i < BUFFERS; i++) {
        memory[i] = malloc(payload);
        EXPECT(CALL(DSAnnounceBuffer, c->stream, memory[i], payload, NULL, &buffers[i]) == GC_ERR_SUCCESS);
        EXPECT(CALL(DSQueueBuffer, c->stream, buffers[i]) == GC_ERR_SUCCESS);
    }
    int taken = 0;
    if (CALL(DSStartAcquisition, c->stream, ACQ_DEFAULT, UINT64_MAX) == GC_ERR_SUCCESS) {
        put(c, REG_TLParamsLocked, 1);
        put(c, REG_AcquisitionStart, 1);
        taken = take_frames(c, wanted);
        put(c, REG_AcquisitionStop, 1);
        EXPECT(CALL(DSStopAcquisition, c->stream, ACQ_DEFAULT) == GC_ERR_SUCCESS);
        put(c, REG_TLParamsLocked, 0);
    }
    EXPECT(CALL(DSFlushQueue, c->stream, QUEUE_ALL_DISCARD) == GC_ERR_SUCCESS);
    for (int i = 0; i < BUFFERS; i++) {
        EXPECT(CALL(DSRevokeBuffer, c->stream, buffers[i], NULL, NULL) == GC_ERR_SUCCESS);
        free(memory[i]);
    }
    return taken;
}

static size_t payload_of(camera *c) {
    size_t payload = 0, size = sizeof payload;
    INFO_DATATYPE type;
    EXPECT(CALL(DSGetInfo, c->stream, DS_PAYLOAD_SIZE, &type, &payload, &size) == GC_ERR_SUCCESS);
    return payload;
}

static void set_up(camera *c) {
    put_float(c, REG_AcquisitionFrameRate, 200.0);
    put_float(c, REG_ExposureTime, 500.0);
    put(c, REG_ComponentEnable + 8 * COMPONENT_Range, 1);
    put(c, REG_ComponentEnable + 8 * COMPONENT_Confidence, 1);
    put(c, REG_ChunkModeActive, 1);
}

static void run_stream(const char *serial) {
    for (int round = 0; round < 2; round++) {
        camera c = {0};
        EXPECT(open_camera(&c, serial) == GC_ERR_SUCCESS);
        set_up(&c);
        put(&c, REG_PixelFormat + 8 * COMPONENT_Range, FORMAT_Coord3D_ABC32f);
        put(&c, REG_PixelFormat + 8 * COMPONENT_Intensity, FORMAT_RGB8);
        EXPECT(stream(&c, FRAMES, payload_of(&c)) == FRAMES);
        EXPECT(stream(&c, 2, 100) == 2); /* too small a buffer: incomplete, not overrun */
        EXPECT(CALL(GCCloseLib) == GC_ERR_SUCCESS); /* closes what is open, in order */
    }
}

static void run_as_set(const char *serial) {
    camera c = {0};
    EXPECT(open_camera(&c, serial) == GC_ERR_SUCCESS);
    put(&c, REG_TriggerMode, 0);
    EXPECT(stream(&c, FRAMES, payload_of(&c)) == FRAMES);
    EXPECT(CALL(GCCloseLib) == GC_ERR_SUCCESS);
}

static uint64_t somewhere(void) {
    switch (any(4)) {
    case 0: return any(UINT64_MAX);
    case 1: return REGISTER_BYTES - any(32);
    case 2: return 0x10000 + any(80000);
    default: return any(REGISTER_BYTES);
    }
}

static bool8_t resets(uint64_t address) { return address == REG_DeviceReset; }

static void run_registers(const char *serial) {
    camera c = {0};
    EXPECT(open_camera(&c, serial) == GC_ERR_SUCCESS);
    void *ports[] = {c.port, c.stream, c.device, c.interface, c.system, &c, NULL};
    for (int step = 0; step < STEPS; step++) {
        uint8_t bytes[128];
        uint64_t address = any(3) ? somewhere() : any(REGISTER_BYTES / 8) * 8;
        size_t size = any(3) ? 8 : any(sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)any(256);
        int64_t small = (int64_t)any(70) - 3;
        if (any(2)) memcpy(bytes, &small, sizeof small);
        void *port = ports[any(3) ? 0 : any(7)];
        if (any(3) == 0)
            CALL(GCReadPort, port, address, bytes, &size);
        else if (!resets(address))
            CALL(GCWritePort, port, address, bytes, &size);
    }
    put(&c, REG_UserSetSelector, 0);
    put(&c, REG_TLParamsLocked, 0);
    EXPECT(put(&c, REG_UserSetLoad, 1) == GC_ERR_SUCCESS);
    set_up(&c);
    EXPECT(stream(&c, 3, payload_of(&c)) == 3); /* and it still delivers */
    EXPECT(CALL(GCCloseLib) == GC_ERR_SUCCESS);
}

/* Opens until it may, ten times, and takes what comes; tells how often it got that far. */
static void run_hostile(const char *serial) {
    int opened = 0, taken = 0;
    patience = 8;
    for (int attempt = 0; opened < 10 && attempt < 2000; attempt++) {
        camera c = {0};
        if (open_camera(&c, serial) == GC_ERR_SUCCESS) {
            opened++;
            set_up(&c);
            size_t payload = payload_of(&c);
            taken += stream(&c, 10, payload > 0 && payload < (1 << 24) ? payload : 4096);
        }
        EXPECT(CALL(GCCloseLib) == GC_ERR_SUCCESS);
    }
    fprintf(stderr, "opened %d, frames %d\n", opened, taken);
    EXPECT(opened > 0 && taken > 0);
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    state = strtoull(arguments[4], NULL, 10);
    library = dlopen(arguments[1], RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    if (strcmp(arguments[3], "stream") == 0)
        run_stream(arguments[2]);
    else if (strcmp(arguments[3], "as-set") == 0)
        run_as_set(arguments[2]);
    else if (strcmp(arguments[3], "registers") == 0)
        run_registers(arguments[2]);
    else
        run_hostile(arguments[2]);
    puts("sane");
    return 0;
}
