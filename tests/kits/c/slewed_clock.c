/* Preloaded into the service: its monotonic clock runs `ppm` faster since `since_ns`, as the file says.
 *
 * Nobody can slew the real one in a test. The raw clock is left alone, as adjtimex does. Who waits until
 * a time of the slewed clock waits until it is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile struct slew {
    int64_t since_ns, ppm;
} *slew;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
static int (*real_condwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_semwait)(sem_t *, clockid_t, const struct timespec *);

static void find(void)
{
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_nanosleep = dlsym(RTLD_NEXT, "clock_nanosleep");
    real_condwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    real_semwait = dlsym(RTLD_NEXT, "sem_clockwait");
}

__attribute__((constructor)) static void open_slew(void)
{
    const char *path = getenv("MONOTONIC_CLOCK_SLEW");
    find();
    if (path == NULL)
        return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    void *memory = mmap(NULL, sizeof *slew, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED)
        slew = memory;
}

static int is_slewed(clockid_t clock)
{
    return clock == CLOCK_MONOTONIC && slew != NULL && slew->ppm != 0;
}

static int64_t ns_of(const struct timespec *t)
{
    return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static struct timespec unslewed(const struct timespec *until)
{
    int64_t after_ns = ns_of(until) - slew->since_ns;
    return from_ns(slew->since_ns + (int64_t)((double)after_ns / (1.0 + slew->ppm * 1e-6)));
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (real_gettime == NULL)
        find();
    int failed = real_gettime(clock, now);
    if (!failed && is_slewed(clock)) {
        int64_t now_ns = ns_of(now);
        *now = from_ns(now_ns + (now_ns - slew->since_ns) * slew->ppm / 1000000);
    }
    return failed;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left)
{
    if (!(flags & TIMER_ABSTIME) || !is_slewed(clock))
        return real_nanosleep(clock, flags, until, left);
    struct timespec real = unslewed(until);
    return real_nanosleep(clock, flags, &real, left);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    if (!is_slewed(clock))
        return real_semwait(semaphore, clock, until);
    struct timespec real = unslewed(until);
    return real_semwait(semaphore, clock, &real);
}

/* By which clock a condition waits it does not say; no machine has been up for thirty years. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *until)
{
    if (until->tv_sec > 1000000000 || !is_slewed(CLOCK_MONOTONIC))
        return real_condwait(condition, mutex, until);
    struct timespec real = unslewed(until);
    return real_condwait(condition, mutex, &real);
}
