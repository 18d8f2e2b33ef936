/* The sensor: waits for its trigger, exposes, reads out, and puts the frame on its way.
 *
 * It lives on true time: a trigger carries the moment it was fired, the exposure begins then, and
 * the frame arrives a readout and a latency later, however late this thread was woken. */
#include <math.h>
#include <string.h>

#include "producer.h"

#define POLL_NS (NS_PER_MS / 2)       /* how late a line may be seen: less than any readout */
#define IDLE_NS (5 * NS_PER_MS)
#define ODD_TRIGGER_NS (60 * NS_PER_S) /* a trigger further from now is none */
#define ON_ITS_WAY 16
#define GIGE_BITS 16
#define GIGE_IDS 65535                /* 65535 is followed by 1, 0 is never sent */
#define WORD 8

enum { MODE_CONTINUOUS, MODE_SINGLE, MODE_MULTI };
enum { EDGE_RISING, EDGE_FALLING, EDGE_ANY };
enum { SOURCE_SOFTWARE, SOURCE_LINE };

typedef struct {
    buffer *frame;
    int64_t due_ns;
    link_truth truth;
} delivery;

typedef struct {
    stream *of;
    device *camera;
    camera_link *link;
    link_control *shared;
    uint64_t starts_seen;
    uint64_t frames_left; /* of this start */
    int64_t pulses_seen, next_free_ns, armed_ns;
    bool exposing;
    int64_t start_ns, exposure_ns, slot;
    int64_t ready_ns; /* a trigger before that is missed */
    delivery line[ON_ITS_WAY];
    int line_count;
    bool has_last;
    int64_t last_id, last_slot, last_t_device_ns;
    uint64_t random;
} sensor;

static double uniform(sensor *of) { /* xorshift64*, Marsaglia 2003 */
    of->random ^= of->random >> 12, of->random ^= of->random << 25, of->random ^= of->random >> 27;
    return (double)((of->random * UINT64_C(2685821657736338717)) >> 11) * 0x1p-53;
}

static int64_t ns_of(double us) {
    return isfinite(us) && us > 0 && us < 1e9 ? (int64_t)llrint(us * 1000) : 0;
}

static int64_t between(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/* An amount the other side wrote: at most ten seconds, never negative. */
static int64_t span_ns(int64_t ns) { return between(ns, 0, 10 * NS_PER_S); }

/* triggers ------------------------------------------------------------------------------------- */

bool line_level(const camera_link *link, int64_t t_host_ns) {
    int64_t count = __atomic_load_n(&link->shared->pulse_count, __ATOMIC_ACQUIRE);
    for (int64_t k = count; k > 0 && k > count - PULSES; k--) {
        const link_pulse *pulse = &link->shared->pulses[(uint64_t)(k - 1) % PULSES];
        if (pulse->t_host_ns <= t_host_ns) return pulse->rising == 1;
    }
    return false;
}

static void miss(sensor *of, int64_t t_ns) {
    of->shared->missed_triggers++;
    if (get_register(of->shared, REG_EventNotification + (EVENT_FrameTriggerMissed & 7) * WORD) == 1)
        tell_remote(of->camera, EVENT_FrameTriggerMissed, device_ns(of->link, t_ns), of->shared->frame_id);
}

static int64_t slot_or_scene(const sensor *of, int64_t slot) {
    if (slot < 0 || slot >= of->link->plan.slots) slot = of->shared->scene;
    return slot < 0 || slot >= of->link->plan.slots ? 0 : slot;
}

/* A trigger at t: an exposure begins, or it comes too early and is missed. */
static void trigger(sensor *of, int64_t t_ns, int64_t slot) {
    int64_t start_ns = t_ns + ns_of(get_float(of->shared, REG_TriggerDelay)) +
                       span_ns(of->shared->trigger_latency_ns);
    if (commit(of->link, FAULT_STALL)) return;
    if (commit(of->link, FAULT_MISSED) || of->exposing || start_ns < of->ready_ns) {
        miss(of, t_ns);
        return;
    }
    of->exposing = true;
    of->shared->exposed++;
    of->start_ns = start_ns;
    of->exposure_ns = ns_of(get_float(of->shared, REG_ExposureTime));
    of->slot = slot_or_scene(of, slot);
    of->ready_ns = start_ns + of->exposure_ns + span_ns(of->shared->readout_ns);
}

static bool is_edge(const sensor *of, const link_pulse *pulse) {
    int64_t wanted = get_register(of->shared, REG_TriggerActivation);
    return wanted == EDGE_ANY || (wanted == EDGE_RISING) == (pulse->rising == 1);
}

/* The line's edges that are due. One after the end of the exposure waits until that is read out. */
static void follow_line(sensor *of, int64_t now_ns, bool used) {
    int64_t count = __atomic_load_n(&of->shared->pulse_count, __ATOMIC_ACQUIRE);
    if (count < of->pulses_seen || count - of->pulses_seen > PULSES) of->pulses_seen = count - PULSES;
    while (of->pulses_seen < count) {
        int64_t place = (int64_t)((uint64_t)of->pulses_seen % PULSES);
        link_pulse pulse = of->shared->pulses[place];
        bool odd = pulse.t_host_ns < now_ns - ODD_TRIGGER_NS || pulse.t_host_ns > now_ns + ODD_TRIGGER_NS;
        if (!odd && pulse.t_host_ns > now_ns) return;
        if (!odd && of->exposing && pulse.t_host_ns >= of->start_ns + of->exposure_ns) return;
        of->pulses_seen++;
        if (!odd && used && pulse.t_host_ns >= of->armed_ns && is_edge(of, &pulse))
            trigger(of, pulse.t_host_ns, pulse.slot);
    }
}

static void follow_software(sensor *of, bool used) {
    int64_t t_ns = of->camera->software_trigger_ns;
    of->camera->software_trigger_ns = 0;
    if (t_ns != 0 && used) trigger(of, t_ns, -1);
}

static int64_t period_ns(const sensor *of) {
    double rate_hz = get_float(of->shared, REG_AcquisitionFrameRate);
    return isfinite(rate_hz) && rate_hz >= 0.01 && rate_hz <= 1e6 ? (int64_t)(1e9 / rate_hz) : NS_PER_S;
}

static void run_free(sensor *of, int64_t now_ns) {
    if (of->exposing || now_ns < of->next_free_ns || now_ns < of->ready_ns) return;
    int64_t t_ns = of->next_free_ns > of->ready_ns ? of->next_free_ns : of->ready_ns;
    int64_t period = period_ns(of);
    of->next_free_ns = t_ns + period > now_ns - period ? t_ns + period : now_ns;
    trigger(of, t_ns, -1);
}

static void look_for_trigger(sensor *of, int64_t now_ns) {
    bool triggered = get_register(of->shared, REG_TriggerMode) == 1;
    int64_t source = get_register(of->shared, REG_TriggerSource);
    follow_line(of, now_ns, triggered && source == SOURCE_LINE);
    follow_software(of, triggered && source == SOURCE_SOFTWARE);
    if (!triggered) run_free(of, now_ns);
}

/* a frame -------------------------------------------------------------------------------------- */

static buffer *buffer_for_frame(sensor *of) {
    buffer *found = oldest(of->of, QUEUED);
    if (found == NULL && of->of->handling != OLDEST_FIRST) found = oldest(of->of, READY);
    if (found == NULL || found->state == READY) of->of->underrun++;
    if (found != NULL) put_buffer(of->of, found, FILLING);
    return found;
}

static int64_t number_of_frame(sensor *of) {
    if (of->has_last && commit(of->link, FAULT_ID_REPEAT)) return of->last_id;
    int64_t jump = __atomic_exchange_n(&of->shared->faults[FAULT_ID_JUMP], 0, __ATOMIC_ACQ_REL);
    of->shared->frame_id = (int64_t)((uint64_t)of->shared->frame_id + 1 + (uint64_t)between(jump, 0, 1 << 30));
    if (of->link->plan.frame_id_bits == GIGE_BITS) of->shared->frame_id = (of->shared->frame_id - 1) % GIGE_IDS + 1;
    return of->shared->frame_id;
}

static int64_t stamp_of_frame(sensor *of, int64_t t_device_ns) {
    if (commit(of->link, FAULT_STAMP_ZERO)) return 0;
    if (commit(of->link, FAULT_STAMP_BACK))
        t_device_ns -= between(fault(of->link, FAULT_STAMP_BACK_NS), 0, INT64_C(3600) * NS_PER_S);
    return t_device_ns;
}

static int64_t way_ns(sensor *of) {
    const link_control *shared = of->shared;
    int64_t way = span_ns(shared->latency_ns) + span_ns(fault(of->link, FAULT_LATE_NS));
    way += (int64_t)(uniform(of) * (double)span_ns(shared->latency_jitter_ns));
    if (uniform(of) * 1000 < (double)shared->late_permille) way += span_ns(shared->late_ns);
    return way;
}

static void write_truth(sensor *of, const link_truth *truth) {
    int64_t number = of->shared->truth_count + 1;
    link_truth *place = &of->shared->truths[(uint64_t)number % TRUTHS];
    __atomic_store_n(&place->sequence, 0, __ATOMIC_RELEASE);
    link_truth whole = *truth;
    whole.sequence = 0;
    *place = whole;
    __atomic_store_n(&place->sequence, number, __ATOMIC_RELEASE);
    __atomic_store_n(&of->shared->truth_count, number, __ATOMIC_RELEASE);
}

static void lose(sensor *of, link_truth *truth) {
    of->shared->lost++;
    truth->fate = FATE_NO_BUFFER;
    write_truth(of, truth);
}

static void end_exposure(sensor *of) {
    int64_t end_ns = of->start_ns + of->exposure_ns;
    int64_t jitter_ns = span_ns(of->shared->clock.jitter_ns);
    int64_t t_device_ns =
        device_ns(of->link, of->start_ns) + (int64_t)((2 * uniform(of) - 1) * (double)jitter_ns);
    bool stale = of->has_last && commit(of->link, FAULT_STALE);
    int64_t slot = stale ? of->last_slot : of->slot;
    link_truth truth = {.frame_id = number_of_frame(of), .t_start_host_ns = of->start_ns,
                        .exposure_ns = of->exposure_ns, .slot = slot, .fate = FATE_DELIVERED};
    truth.t_device_ns = stamp_of_frame(of, stale ? of->last_t_device_ns : t_device_ns);
    of->exposing = false;
    if (of->frames_left != UINT64_MAX && of->frames_left > 0) of->frames_left--;
    if (get_register(of->shared, REG_EventNotification + (EVENT_ExposureEnd & 7) * WORD) == 1)
        tell_remote(of->camera, EVENT_ExposureEnd, device_ns(of->link, end_ns), truth.frame_id);
    of->has_last = true, of->last_id = truth.frame_id, of->last_slot = of->slot, of->last_t_device_ns = t_device_ns;
    buffer *frame = of->line_count < ON_ITS_WAY ? buffer_for_frame(of) : NULL;
    if (frame == NULL) {
        lose(of, &truth);
        return;
    }
    of->of->started++;
    frame->frame_id = truth.frame_id, frame->t_device_ns = truth.t_device_ns;
    int64_t due_ns = of->ready_ns + way_ns(of);
    fill_frame(of->link, frame, slot, of->exposure_ns);
    if (frame->incomplete) truth.fate = FATE_INCOMPLETE;
    if (of->line_count > 0 && due_ns < of->line[of->line_count - 1].due_ns) due_ns = of->line[of->line_count - 1].due_ns;
    of->line[of->line_count++] = (delivery){frame, due_ns, truth};
}

static void keep_newest(stream *of) {
    for (buffer *each; (each = oldest(of, READY)) != NULL; of->underrun++) put_buffer(of, each, QUEUED);
}

static void deliver(sensor *of, int64_t now_ns) {
    while (of->line_count > 0 && of->line[0].due_ns <= now_ns) {
        delivery arrived = of->line[0];
        memmove(of->line, of->line + 1, sizeof(delivery) * (size_t)--of->line_count);
        if (of->of->handling == NEWEST_ONLY) keep_newest(of->of);
        put_buffer(of->of, arrived.frame, READY);
        of->of->delivered++;
        of->shared->delivered++;
        arrived.truth.t_delivered_host_ns = now_ns;
        write_truth(of, &arrived.truth);
        if (of->of->frames_left != UINT64_MAX && of->of->frames_left > 0) of->of->frames_left--;
        tell_new_buffer(of->of);
    }
}

/* the loop ------------------------------------------------------------------------------------- */

static void notice_start(sensor *of) {
    if (of->starts_seen == of->camera->starts) return;
    of->starts_seen = of->camera->starts;
    of->shared->frame_id = 0;
    of->exposing = of->has_last = false;
    /* from the command on, however late this thread learns of it */
    of->armed_ns = of->next_free_ns = of->ready_ns = of->camera->started_ns;
    of->pulses_seen = of->camera->pulses_at_start;
    int64_t mode = get_register(of->shared, REG_AcquisitionMode);
    int64_t count = get_register(of->shared, REG_AcquisitionFrameCount);
    of->frames_left = mode == MODE_SINGLE ? 1 : mode == MODE_MULTI ? (uint64_t)between(count, 1, 65535) : UINT64_MAX;
}

static bool may_expose(sensor *of) {
    return __atomic_load_n(&of->shared->acquiring, __ATOMIC_ACQUIRE) == 1 && is_there(of->link) &&
           !of->camera->silent && of->frames_left > 0 && of->of->frames_left > 0;
}

static int64_t next_ns(const sensor *of, int64_t now_ns, bool awake) {
    int64_t next = now_ns + (awake ? POLL_NS : IDLE_NS);
    int64_t end_ns = of->start_ns + of->exposure_ns;
    if (of->exposing && end_ns < next) next = end_ns;
    if (of->line_count > 0 && of->line[0].due_ns < next) next = of->line[0].due_ns;
    return next;
}

static bool step(sensor *of) {
    int64_t now_ns = host_ns();
    if (of->camera->reboots != __atomic_load_n(&of->shared->reboots, __ATOMIC_ACQUIRE)) reboot(of->camera);
    notice_start(of);
    bool awake = may_expose(of);
    if (!awake)
        of->exposing = false;
    else if (of->exposing && now_ns >= of->start_ns + of->exposure_ns)
        end_exposure(of);
    if (awake && of->frames_left > 0) look_for_trigger(of, now_ns);
    if (!is_there(of->link)) of->line_count = 0; /* what was on its way never comes */
    deliver(of, now_ns);
    return awake;
}

void *run_sensor(void *argument) {
    stream *of = argument;
    enter();
    device *camera = of->owner;
    sensor self = {.of = of, .camera = camera, .link = &camera->link, .shared = camera->link.shared};
    self.starts_seen = camera->starts - 1;
    self.random = (uint64_t)camera->link.plan.seed * 2 + 1;
    while (!of->stopping) {
        bool awake = step(&self);
        int64_t now_ns = host_ns(), due_ns = next_ns(&self, now_ns, awake);
        if (due_ns > now_ns && !of->stopping) wait_until(&of->wake, due_ns);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}
