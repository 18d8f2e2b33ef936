/* The library itself: opened once per process, one lock, a list of everything that is open. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "producer.h"

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool open_for_use;
static module *everything;
static _Thread_local GC_ERROR last_code;
static _Thread_local char last_text[128] = "no error";

void enter(void) { pthread_mutex_lock(&lock); }

/* Ends every function that a consumer can call: remembers what went wrong in this thread. */
GC_ERROR leave(GC_ERROR code, const char *why) {
    pthread_mutex_unlock(&lock);
    if (code != GC_ERR_SUCCESS) {
        last_code = code;
        snprintf(last_text, sizeof last_text, "%s", why);
    }
    return code;
}

bool ready(void) { return open_for_use; }

/* The open module behind a handle, or NULL: a handle is compared, never followed. */
void *find(const void *handle, module_kind kind) {
    for (module *each = everything; each != NULL; each = each->next)
        if (each == handle && each->kind == kind) return each;
    return NULL;
}

void enlist(module *opened, module_kind kind, module *parent) {
    opened->kind = kind;
    opened->parent = parent;
    opened->next = everything;
    everything = opened;
}

void delist(module *closed) {
    for (module **link = &everything; *link != NULL; link = &(*link)->next)
        if (*link == closed) {
            *link = closed->next;
            return;
        }
}

/* Any module that was opened through `parent`, but no event: those are closed with their source. */
module *first_child(const module *parent) {
    for (module *each = everything; each != NULL; each = each->next)
        if (each->parent == parent && each->kind != EVENT && each->kind != REMOTE) return each;
    return NULL;
}

/* The next open module of a kind, from the first one on. */
static module *next_of(const module *after, module_kind kind) {
    module *each = after == NULL ? everything : after->next;
    while (each != NULL && each->kind != kind) each = each->next;
    return each;
}

module *next_device(const module *after) { return next_of(after, DEVICE); }

module *next_interface(const module *after) { return next_of(after, INTERFACE); }

event *next_event(const event *after) {
    return (event *)next_of(after == NULL ? NULL : &after->base, EVENT);
}

/* Text of the other side: it ends where the field does, whoever wrote it. */
void copy_text(char out[TEXT_BYTES], const char *from) {
    memcpy(out, from, TEXT_BYTES - 1);
    out[TEXT_BYTES - 1] = '\0';
}

void close_events_of(const module *source) {
    module *each = everything;
    while (each != NULL) {
        if (each->kind == EVENT && each->parent == source) {
            close_event((event *)each);
            each = everything; /* the lock was let go meanwhile */
        } else {
            each = each->next;
        }
    }
}

int64_t host_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

void init_cond(pthread_cond_t *cond) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Waits, without the lock, until the condition is signalled; false when the time is over. */
bool wait_until(pthread_cond_t *cond, int64_t deadline_ns) {
    struct timespec deadline = {deadline_ns / NS_PER_S, deadline_ns % NS_PER_S};
    return pthread_cond_timedwait(cond, &lock, &deadline) != ETIMEDOUT;
}

GC_API GCInitLib(void) {
    enter();
    if (open_for_use) return leave(GC_ERR_RESOURCE_IN_USE, "the library is in use");
    open_for_use = true;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API GCCloseLib(void) {
    enter();
    if (!open_for_use) return leave(GC_ERR_NOT_INITIALIZED, "GCInitLib was not called");
    while (everything != NULL) {
        module *root = everything;
        while (root->parent != NULL) root = root->parent;
        pthread_mutex_unlock(&lock);
        TLClose(root);
        enter();
    }
    open_for_use = false;
    return leave(GC_ERR_SUCCESS, "");
}

GC_API GCGetLastError(GC_ERROR *code, char *text, size_t *size) {
    if (code == NULL || size == NULL) return GC_ERR_INVALID_PARAMETER;
    *code = last_code;
    return say_id(last_text, text, size);
}
