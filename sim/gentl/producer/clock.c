/* The camera's own clock: its zero, its pace, and what PTP makes of it. */
#include <math.h>

#include "producer.h"

#define STEP_SHARE 0.25            /* of the settling time: until then it only listens */
#define FIRST_OFFSET_NS 1.0e6      /* after the first step to the master's time */
#define SERVO_RATE 12.0            /* e-folds until it calls itself a slave */
#define WANDER_PERIOD_NS 7.0e9     /* of what remains */
#define TWO_PI 6.283185307179586

enum { PTP_INITIALIZING = 1, PTP_DISABLED = 3, PTP_LISTENING = 4, PTP_UNCALIBRATED = 8, PTP_SLAVE = 9 };

static link_clock settings_of(const link_control *shared) {
    link_clock copy;
    for (int attempt = 0; attempt < 1000; attempt++) {
        int64_t before = __atomic_load_n(&shared->clock.sequence, __ATOMIC_ACQUIRE);
        copy = shared->clock;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (before % 2 == 0 && before == __atomic_load_n(&shared->clock.sequence, __ATOMIC_RELAXED))
            return copy;
    }
    return copy; /* somebody died while he set it: what stands there now is the clock */
}

static int64_t rounded(double ns) {
    return isfinite(ns) && fabs(ns) < 4e18 ? (int64_t)llrint(ns) : 0;
}

/* Wraps like a counter does; the other side may have written anything. */
static int64_t sum(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

static int64_t difference(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

static int64_t free_running_ns(const link_control *shared, int64_t t_host_ns) {
    link_clock set = settings_of(shared);
    int64_t elapsed_ns = difference(t_host_ns, set.zero_host_ns);
    int64_t drifted_ns = rounded((double)elapsed_ns * set.drift_ppm * 1e-6);
    return sum(sum(set.zero_device_ns, sum(elapsed_ns, drifted_ns)), shared->held_ns);
}

static double elapsed_share(const link_control *shared, int64_t t_host_ns) {
    int64_t settle_ns = shared->ptp_settle_ns > 0 ? shared->ptp_settle_ns : 1;
    return (double)difference(t_host_ns, shared->ptp_since_host_ns) / (double)settle_ns;
}

int64_t ptp_offset_ns(const camera_link *link, int64_t t_host_ns) {
    const link_control *shared = link->shared;
    int64_t master_ns = sum(t_host_ns, shared->ptp_master_minus_host_ns);
    if (shared->ptp_since_host_ns == 0 || elapsed_share(shared, t_host_ns) < STEP_SHARE)
        return difference(free_running_ns(shared, t_host_ns), master_ns);
    double settled = (elapsed_share(shared, t_host_ns) - STEP_SHARE) / (1 - STEP_SHARE);
    double wander = (double)shared->ptp_residual_ns *
                    sin(TWO_PI * fmod((double)t_host_ns, WANDER_PERIOD_NS) / WANDER_PERIOD_NS);
    return rounded(FIRST_OFFSET_NS * exp(-SERVO_RATE * settled) + wander);
}

int64_t device_ns(const camera_link *link, int64_t t_host_ns) {
    if (link->shared->ptp_since_host_ns == 0) return free_running_ns(link->shared, t_host_ns);
    int64_t master_ns = sum(t_host_ns, link->shared->ptp_master_minus_host_ns);
    return sum(master_ns, ptp_offset_ns(link, t_host_ns));
}

int64_t ptp_status(const camera_link *link) {
    const link_control *shared = link->shared;
    if (shared->ptp_since_host_ns == 0) return PTP_DISABLED;
    int64_t forced = shared->ptp_forced_status;
    if (forced >= PTP_INITIALIZING && forced <= PTP_SLAVE) return forced;
    double share = elapsed_share(shared, host_ns());
    if (share < STEP_SHARE / 2) return PTP_INITIALIZING;
    if (share < STEP_SHARE) return PTP_LISTENING;
    return share < 1 ? PTP_UNCALIBRATED : PTP_SLAVE;
}

/* Switched off, the clock runs on from where it stands. */
void ptp_enable(camera_link *link, bool on) {
    link_control *shared = link->shared;
    int64_t now_ns = host_ns();
    if (on == (shared->ptp_since_host_ns != 0)) return;
    int64_t reads_ns = device_ns(link, now_ns);
    shared->ptp_since_host_ns = on ? now_ns : 0;
    if (!on)
        shared->held_ns = sum(
            shared->held_ns, difference(reads_ns, free_running_ns(shared, now_ns)));
}

void clock_to_zero(camera_link *link) {
    link_control *shared = link->shared;
    shared->held_ns = difference(shared->held_ns, free_running_ns(shared, host_ns()));
}
