/* The link: files in shared memory, one per camera. Nothing in them is trusted.
 *
 * The process before the lens holds a flock on its file for as long as it lives; who controls the
 * camera holds an open-file-description lock on its first byte. The kernel lets both go when a
 * process ends, however it ends. Pixels are read with pread: a file that was cut is then a short
 * read and not a signal. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "producer.h"

#define LOOK_NS (50 * NS_PER_MS) /* how often the owner's life is proven */
#define LARGEST_SIDE 16384
#define LARGEST_FILE (INT64_C(1) << 40)
#define ALIGNMENT 64

static bool is_name(const char *address) {
    size_t length = strnlen(address, TEXT_BYTES);
    return length > 0 && length < TEXT_BYTES && address[0] != '.' && strchr(address, '/') == NULL;
}

static bool path_of(const char *address, char *path, size_t room) {
    return is_name(address) &&
           snprintf(path, room, "%s/%s%s", LINK_FOLDER, LINK_PREFIX, address) < (int)room;
}

static bool owner_lives(int fd) {
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    flock(fd, LOCK_UN);
    return false;
}

int bytes_per_pixel(int64_t format) { return (int)(format >> 16 & 0xFF) / 8; }

size_t bytes_per_line(int64_t format, int64_t width) {
    return (size_t)((width * (format >> 16 & 0xFF) + 7) / 8);
}

bool is_silent(const camera_link *link, int question) { return link->plan.silent >> question & 1; }

static int64_t aligned(int64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

bool is_3d(int64_t component) { return component == COMPONENT_Range || component == COMPONENT_Disparity; }

int64_t component_of_3d(const link_plan *plan) {
    return plan->baseline_m > 0 ? COMPONENT_Disparity : COMPONENT_Range;
}

/* So many pixels of the sensor wide and high is one of the component. */
int64_t divisor(const link_plan *plan, int64_t component) {
    return component == COMPONENT_Intensity ? 1 : plan->range_divisor;
}

int64_t stored_format(const link_plan *plan, int64_t component) {
    if (component == COMPONENT_Intensity) return plan->intensity_format;
    if (is_3d(component)) return plan->range_format;
    return plan->has_confidence ? FORMAT_Confidence8 : 0;
}

size_t stored_bytes(const link_plan *plan, int64_t component) {
    int64_t format = stored_format(plan, component), by = divisor(plan, component);
    return format == 0 ? 0 : (size_t)(plan->width / by * (plan->height / by) * bytes_per_pixel(format));
}

/* Where a component stands in its slot: one after the other, each aligned. */
int64_t stored_offset(const link_plan *plan, int64_t component) {
    int64_t offset = 0;
    if (component == COMPONENT_Intensity) return offset;
    offset += aligned((int64_t)stored_bytes(plan, COMPONENT_Intensity));
    if (is_3d(component)) return offset;
    return offset + aligned((int64_t)stored_bytes(plan, COMPONENT_Range));
}

static bool fits(const link_plan *plan, int64_t offset, int64_t bytes) {
    return offset >= plan->control_bytes && bytes <= plan->file_bytes &&
           offset <= plan->file_bytes - bytes;
}

static bool is_sound(const link_plan *plan, int64_t file_bytes) {
    if (memcmp(plan->magic, LINK_MAGIC, sizeof plan->magic) != 0) return false;
    if (plan->control_bytes != (int64_t)sizeof(link_control)) return false;
    if (plan->file_bytes != file_bytes || file_bytes > LARGEST_FILE) return false;
    if (plan->width < 2 || plan->width > LARGEST_SIDE) return false;
    if (plan->height < 2 || plan->height > LARGEST_SIDE) return false;
    if (plan->slots < 1 || plan->slots > SLOTS) return false;
    int64_t intensity = plan->intensity_format, range = plan->range_format;
    if (intensity != FORMAT_Mono8 && intensity != FORMAT_Mono16 && intensity != FORMAT_RGB8) return false;
    if (range != 0 && range != FORMAT_Coord3D_C16 && range != FORMAT_Coord3D_ABC32f) return false;
    if (plan->line_padding < 0 || plan->line_padding > LARGEST_SIDE) return false;
    int64_t by = plan->range_divisor;
    if (by < 1 || plan->width / by < 2 || plan->height / by < 2) return false;
    if ((by > 1 || plan->baseline_m != 0) && (range != FORMAT_Coord3D_C16 || plan->rays_offset != 0)) return false;
    if (!(plan->baseline_m >= 0 && plan->baseline_m <= 10)) return false;
    int64_t needed = stored_offset(plan, COMPONENT_Confidence) +
                     (int64_t)stored_bytes(plan, COMPONENT_Confidence);
    if (plan->slot_bytes < needed || plan->slot_bytes > file_bytes) return false;
    if (!fits(plan, plan->slots_offset, plan->slots * plan->slot_bytes)) return false;
    int64_t rays = plan->width * plan->height * 8;
    if (plan->rays_offset != 0 && !fits(plan, plan->rays_offset, rays)) return false;
    if (range == 0) return true;
    return isfinite(plan->range_scale) && plan->range_scale != 0 && isfinite(plan->range_offset) &&
           isfinite(plan->range_invalid) && isfinite(plan->focal_px) && plan->focal_px > 0 &&
           isfinite(plan->centre_u_px) && isfinite(plan->centre_v_px);
}

static bool map(camera_link *link) {
    struct stat found;
    if (fstat(link->fd, &found) != 0 || !S_ISREG(found.st_mode)) return false;
    if (found.st_size < (off_t)sizeof(link_control)) return false;
    link->file_bytes = found.st_size;
    link->shared = mmap(
        NULL, sizeof(link_control), PROT_READ | PROT_WRITE, MAP_SHARED, link->fd, 0);
    if (link->shared == MAP_FAILED) return false;
    link->plan = link->shared->plan;
    if (is_sound(&link->plan, link->file_bytes)) return true;
    munmap(link->shared, sizeof(link_control));
    return false;
}

GC_ERROR attach(camera_link *link, const char *address) {
    char path[256];
    memset(link, 0, sizeof *link);
    if (!path_of(address, path, sizeof path)) return GC_ERR_INVALID_ID;
    link->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (link->fd < 0) return GC_ERR_IO;
    if (!owner_lives(link->fd) || !map(link)) {
        close(link->fd);
        return GC_ERR_IO;
    }
    snprintf(link->address, sizeof link->address, "%s", address);
    copy_text(link->plan.vendor, link->shared->plan.vendor);
    copy_text(link->plan.model, link->shared->plan.model);
    copy_text(link->plan.version, link->shared->plan.version);
    link->session = __atomic_load_n(&link->shared->session, __ATOMIC_ACQUIRE);
    link->looked_ns = host_ns();
    link->owner_lives = true;
    if (!__atomic_load_n(&link->shared->powered, __ATOMIC_ACQUIRE)) power_on(link);
    return GC_ERR_SUCCESS;
}

void detach(camera_link *link) {
    munmap(link->shared, sizeof(link_control));
    close(link->fd);
}

void copy_serial(const camera_link *link, char out[TEXT_BYTES]) {
    copy_text(out, link->shared->serial);
}

static struct flock first_byte(short kind) {
    return (struct flock){.l_type = kind, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

bool take_control(camera_link *link) {
    struct flock wanted = first_byte(F_WRLCK);
    return fcntl(link->fd, F_OFD_SETLK, &wanted) == 0;
}

bool is_controlled(camera_link *link) {
    struct flock asked = first_byte(F_WRLCK);
    return fcntl(link->fd, F_OFD_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
}

/* Whether the camera that was opened still answers: its owner lives, it is the same session. */
bool is_there(camera_link *link) {
    int64_t now_ns = host_ns();
    if (now_ns - link->looked_ns > LOOK_NS) {
        struct stat found;
        link->looked_ns = now_ns;
        link->owner_lives = owner_lives(link->fd) && fstat(link->fd, &found) == 0 &&
                            found.st_size == link->file_bytes;
    }
    if (!link->owner_lives) return false;
    return __atomic_load_n(&link->shared->present, __ATOMIC_ACQUIRE) == 1 &&
           __atomic_load_n(&link->shared->session, __ATOMIC_ACQUIRE) == link->session;
}

bool read_pixels(const camera_link *link, int64_t offset, void *out, size_t bytes) {
    uint8_t *to = out;
    while (bytes > 0) {
        ssize_t got = pread(link->fd, to, bytes, offset);
        if (got <= 0) return false;
        to += got, offset += got, bytes -= (size_t)got;
    }
    return true;
}

int64_t fault(const camera_link *link, int which) {
    return __atomic_load_n(&link->shared->faults[which], __ATOMIC_ACQUIRE);
}

/* Whether this fault is to be committed now; counts it down. */
bool commit(const camera_link *link, int which) {
    int64_t left = fault(link, which);
    while (left > 0)
        if (__atomic_compare_exchange_n(
                &link->shared->faults[which], &left, left - 1, false, __ATOMIC_ACQ_REL,
                __ATOMIC_ACQUIRE))
            return true;
    return left < 0;
}

static int by_name(const void *one, const void *other) { return strcmp(one, other); }

/* The addresses of the cameras that answer over an interface, in order. What a dead owner left is removed. */
int list_cameras(int interface, char addresses[MOST_DEVICES][TEXT_BYTES]) {
    DIR *folder = opendir(LINK_FOLDER);
    int count = 0;
    if (folder == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL && count < MOST_DEVICES;) {
        char path[256];
        if (strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) != 0) continue;
        const char *address = entry->d_name + strlen(LINK_PREFIX);
        if (!path_of(address, path, sizeof path)) continue;
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) continue;
        bool lives = owner_lives(fd);
        close(fd);
        camera_link link;
        if (!lives) {
            unlink(path);
        } else if (attach(&link, address) == GC_ERR_SUCCESS) {
            bool behind = link.plan.interfaces >> interface & 1;
            if (behind && is_there(&link)) snprintf(addresses[count++], TEXT_BYTES, "%s", address);
            detach(&link);
        }
    }
    closedir(folder);
    qsort(addresses, (size_t)count, TEXT_BYTES, by_name);
    return count;
}
