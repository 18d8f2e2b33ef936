// Lift and fuse on the GPU: pixel -> ray -> depth -> part frame -> voxel; maximum, hits and views.
//
// The same numbers as runtime/volume/lift_kernels.py, bit for bit: products and sums are rounded one after
// the other (no fused multiply-add), and maximum, sum and bit-or do not depend on their order.
// NVRTC and nvcc compile it for GPUs (sm_80 and newer). A C++ compiler makes the same functions for
// the host, one pixel after the other, where the tests hold them against the CPU's.

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long long u64;

#define BLOCK_CELLS 64         // 4 x 4 x 4 voxels
#define HASH_MULTIPLIER 2654435769u  // as lift_kernels.py: 2^32 / golden ratio
#define SUPPORT_SCORE 1.0f     // a view supports a voxel at the threshold
#define HITS_MAX 65535u        // the host keeps 16 bits
#define MAX_PROBES 1024        // the table is at most half full: chains are short, or memory is

// What a launch gets, by value; runtime/gpu/launch.py has the same fields in the same order.
struct Launch {
  // the volume: blocks of 64 voxels; with a hash table (sparse), or block = slot (keys == 0)
  int* score;      // bits of a float >= 0
  u32* hits;
  u64* seen_by;    // bit v: view v saw it at the threshold
  int* keys;       // block + 1; 0 is free
  int* slot_of;    // -1: memory was full
  int* block_of_slot;
  int* used;       // slots asked for
  // one view
  const float* depth_mm;  // not > 0: no return
  const float* ray_x;
  const float* ray_y;
  const float* score_map;
  const float* geometry;  // or 0
  // points of the part frame instead of pixels
  const float* points_mm;    // (n, 3)
  const float* point_score;
  const int* point_pixel;    // -1: a ray passed; otherwise nothing returned at this pixel
  int* counts;               // one row of COUNTS
  // the finished volume, in memory that the host sees
  int* packed_count;
  int* packed_block;
  float* packed_score;
  u16* packed_hits;
  u64* packed_seen_by;
  int n;
  int view;
  int mask;           // entries of the table - 1
  int capacity;       // slots
  int pack_capacity;  // blocks
  int shape[3];
  int blocks[2];      // along y and z
  float table;        // height of the table, voxels
  float voxel_from[12];
};

enum { LIFTED, TABLE, INVALID, DROPPED, NOT_FINITE, PEAK, STRAY, COUNTS = 8 };

// --- what differs between device and host --------------------------------------------------------

#ifdef __CUDACC__
#define ON_DEVICE __device__ __forceinline__
#define KERNEL extern "C" __global__ void
#define LANES 32
ON_DEVICE int thread_number() { return blockIdx.x * blockDim.x + threadIdx.x; }
ON_DEVICE float mul(float a, float b) { return __fmul_rn(a, b); }
ON_DEVICE float add(float a, float b) { return __fadd_rn(a, b); }
ON_DEVICE int bits_of(float a) { return __float_as_int(a); }
ON_DEVICE float float_of(int a) { return __int_as_float(a); }
ON_DEVICE void atomic_max(int* at, int value) { atomicMax(at, value); }
ON_DEVICE void atomic_or(u64* at, u64 value) { atomicOr(at, value); }
ON_DEVICE void atomic_add(u32* at, u32 value) { atomicAdd(at, value); }
ON_DEVICE int atomic_next(int* at) { return atomicAdd(at, 1); }
ON_DEVICE void atomic_add(int* at, int value) { atomicAdd(at, value); }
ON_DEVICE int atomic_claim(int* at, int value) { return atomicCAS(at, 0, value); }
ON_DEVICE int all_lanes_sum(int value) { return __reduce_add_sync(~0u, value); }
ON_DEVICE int all_lanes_max(int value) { return __reduce_max_sync(~0u, value); }
ON_DEVICE bool any_lane(bool value) { return __any_sync(~0u, value); }
ON_DEVICE int of_first_lane(int value) { return __shfl_sync(~0u, value, 0); }
#else
#include <cstring>
#define ON_DEVICE static inline
#define KERNEL static void
#define LANES 1
static thread_local int current_thread;
ON_DEVICE int thread_number() { return current_thread; }
ON_DEVICE float mul(float a, float b) { return a * b; }  // compiled with -ffp-contract=off
ON_DEVICE float add(float a, float b) { return a + b; }
ON_DEVICE int bits_of(float a) { int b; memcpy(&b, &a, 4); return b; }
ON_DEVICE float float_of(int a) { float b; memcpy(&b, &a, 4); return b; }
ON_DEVICE void atomic_max(int* at, int value) {
  int old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (old < value && !__atomic_compare_exchange_n(at, &old, value, true, __ATOMIC_RELAXED,
                                                     __ATOMIC_RELAXED)) {}
}
ON_DEVICE void atomic_or(u64* at, u64 value) { __atomic_fetch_or(at, value, __ATOMIC_RELAXED); }
ON_DEVICE void atomic_add(u32* at, u32 value) { __atomic_fetch_add(at, value, __ATOMIC_RELAXED); }
ON_DEVICE int atomic_next(int* at) { return __atomic_fetch_add(at, 1, __ATOMIC_RELAXED); }
ON_DEVICE void atomic_add(int* at, int value) { __atomic_fetch_add(at, value, __ATOMIC_RELAXED); }
ON_DEVICE int atomic_claim(int* at, int value) {
  int free_entry = 0;
  __atomic_compare_exchange_n(at, &free_entry, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return free_entry;
}
ON_DEVICE int all_lanes_sum(int value) { return value; }
ON_DEVICE int all_lanes_max(int value) { return value; }
ON_DEVICE bool any_lane(bool value) { return value; }
ON_DEVICE int of_first_lane(int value) { return value; }
#endif

// --- one pixel or point --------------------------------------------------------------------------

enum Place { INSIDE, BESIDE, BELOW, NOWHERE };

struct Found {
  Place place;
  int number;  // block * 64 + cell where the place is INSIDE
};

ON_DEVICE bool is_finite(float a) { return (bits_of(a) & 0x7f800000) != 0x7f800000; }

// An int that orders as the floats do, negative ones too.
ON_DEVICE int ordered(float a) {
  int bits = bits_of(a);
  return bits >= 0 ? bits : bits ^ 0x7fffffff;
}

ON_DEVICE float along(const float* m, float x, float y, float z) {
  return add(add(add(mul(m[0], x), mul(m[1], y)), mul(m[2], z)), m[3]);
}

ON_DEVICE int number_of(const Launch& a, float gx, float gy, float gz) {
  int i = (int)gx, j = (int)gy, k = (int)gz;
  int block = ((i >> 2) * a.blocks[0] + (j >> 2)) * a.blocks[1] + (k >> 2);
  return (block << 6) | ((i & 3) << 4) | ((j & 3) << 2) | (k & 3);
}

ON_DEVICE Found find(const Launch& a, float x, float y, float z, bool pixel) {
  float gx = along(a.voxel_from, x, y, z);
  float gy = along(a.voxel_from + 4, x, y, z);
  float gz = along(a.voxel_from + 8, x, y, z);
  bool valid = pixel ? z > 0.0f : is_finite(gx) && is_finite(gy) && is_finite(gz);
  if (!valid) return Found{NOWHERE, -1};
  if (gz < a.table) return Found{BELOW, -1};
  bool inside = gz >= a.table && gx >= 0.0f && gx < (float)a.shape[0] && gy >= 0.0f &&
                gy < (float)a.shape[1] && gz >= 0.0f && gz < (float)a.shape[2];
  if (!inside) return Found{BESIDE, -1};
  return Found{INSIDE, number_of(a, gx, gy, gz)};
}

ON_DEVICE Found find_pixel(const Launch& a, int p) {
  float z = a.depth_mm[p];
  return find(a, mul(a.ray_x[p], z), mul(a.ray_y[p], z), z, true);
}

ON_DEVICE Found find_point(const Launch& a, int p) {
  const float* at = a.points_mm + 3 * p;
  return find(a, at[0], at[1], at[2], false);
}

ON_DEVICE float score_at(const Launch& a, int p) {
  float score = a.score_map[p];
  if (a.geometry == 0) return score;
  float deviation = a.geometry[p];
  return score < deviation ? deviation : score;
}

// --- blocks of a sparse volume -------------------------------------------------------------------

ON_DEVICE u32 first_entry(const Launch& a, int block) {
  return ((u32)block * HASH_MULTIPLIER >> 7) & (u32)a.mask;
}

ON_DEVICE void claim(const Launch& a, int block) {
  u32 at = first_entry(a, block);
  for (int probe = 0; probe < MAX_PROBES; probe++) {
    int owner = a.keys[at];
    if (owner == 0) owner = atomic_claim(&a.keys[at], block + 1);
    if (owner == block + 1) return;
    if (owner == 0) {
      int slot = atomic_next(a.used);
      a.slot_of[at] = slot < a.capacity ? slot : -1;
      if (slot < a.capacity) a.block_of_slot[slot] = block;
      return;
    }
    at = (at + 1) & (u32)a.mask;
  }
}

ON_DEVICE int slot_of(const Launch& a, int block) {
  if (a.keys == 0) return block;
  u32 at = first_entry(a, block);
  for (int probe = 0; probe < MAX_PROBES && a.keys[at] != 0; probe++) {
    if (a.keys[at] == block + 1) return a.slot_of[at];
    at = (at + 1) & (u32)a.mask;
  }
  return -1;
}

// Returns whether the voxel had room.
ON_DEVICE bool write(const Launch& a, int number, float score, bool hit) {
  int slot = slot_of(a, number >> 6);
  if (slot < 0) return false;
  u32 at = (u32)slot * BLOCK_CELLS + (number & 63);
  // reading first is cheap; a stale value costs only a needless atomic. NaN is not > 0
  if (score > 0.0f && bits_of(score) > a.score[at]) atomic_max(&a.score[at], bits_of(score));
  if (hit) atomic_add(&a.hits[at], 1u);
  if (score >= SUPPORT_SCORE) atomic_or(&a.seen_by[at], 1ull << a.view);
  return true;
}

// --- one row of counts per launch ----------------------------------------------------------------

ON_DEVICE void count(const Launch& a, int what, bool is_so) {
  int sum = all_lanes_sum(is_so ? 1 : 0);
  if (thread_number() % LANES == 0 && sum) atomic_add(&a.counts[what], sum);
}

ON_DEVICE void tally(const Launch& a, bool mine, Place place, bool room, float score) {
  count(a, LIFTED, mine && place == INSIDE && room);
  count(a, DROPPED, mine && place == INSIDE && !room);
  count(a, TABLE, mine && place == BELOW);
  count(a, INVALID, mine && place == NOWHERE);
  count(a, NOT_FINITE, mine && !is_finite(score));
  count(a, STRAY, mine && place == BESIDE && score >= SUPPORT_SCORE);
  int peak = all_lanes_max(mine ? ordered(score) : (int)0x80000000);
  if (thread_number() % LANES == 0) atomic_max(&a.counts[PEAK], peak);
}

// --- kernels: threads beyond n take part in the sums of their warp -------------------------------

KERNEL claim_pixels(Launch a) {
  int p = thread_number();
  if (p >= a.n) return;
  Found found = find_pixel(a, p);
  if (found.place == INSIDE) claim(a, found.number >> 6);
}

KERNEL claim_points(Launch a) {
  int p = thread_number();
  if (p >= a.n) return;
  Found found = find_point(a, p);
  if (found.place == INSIDE) claim(a, found.number >> 6);
}

KERNEL fuse_pixels(Launch a) {
  int p = thread_number();
  bool mine = p < a.n;
  Found found{NOWHERE, -1};
  float score = 0.0f;
  bool room = false;
  if (mine) {
    score = score_at(a, p);
    found = find_pixel(a, p);
    if (found.place == INSIDE) room = write(a, found.number, score, true);
  }
  // what the model says, before geometry hides a NaN
  bool finite = !mine || is_finite(a.score_map[p]);
  tally(a, mine, found.place, room, finite ? score : a.score_map[p]);
}

KERNEL fuse_points(Launch a) {
  int p = thread_number();
  bool mine = p < a.n;
  Found found{NOWHERE, -1};
  float score = 0.0f;
  bool room = false;
  if (mine) {
    int pixel = a.point_pixel[p];
    score = a.point_score[p];
    if (pixel >= 0) {  // the picture speaks also where the depth is silent
      float said = score_at(a, pixel);
      score = said > score ? said : score;
    }
    found = find_point(a, p);
    if (found.place == INSIDE) room = write(a, found.number, score, pixel < 0);
  }
  tally(a, mine, found.place, room, score);
}

// One warp per slot: blocks in which something was measured or scored, into the host's memory.
KERNEL pack_blocks(Launch a) {
  int slot = thread_number() / LANES, lane = thread_number() % LANES;
  int used = a.keys == 0 ? a.capacity : (*a.used < a.capacity ? *a.used : a.capacity);
  if (slot >= used) return;
  u32 first = (u32)slot * BLOCK_CELLS;
  bool occupied = false;
  for (int c = lane; c < BLOCK_CELLS; c += LANES)
    occupied = occupied || a.hits[first + c] != 0 || a.score[first + c] != 0;
  if (!any_lane(occupied)) return;
  int at = of_first_lane(lane == 0 ? atomic_next(a.packed_count) : 0);
  if (at >= a.pack_capacity) return;
  if (lane == 0) a.packed_block[at] = a.keys == 0 ? slot : a.block_of_slot[slot];
  for (int c = lane; c < BLOCK_CELLS; c += LANES) {
    u32 to = (u32)at * BLOCK_CELLS + c;
    u32 hits = a.hits[first + c];
    a.packed_score[to] = float_of(a.score[first + c]);
    a.packed_hits[to] = (u16)(hits < HITS_MAX ? hits : HITS_MAX);
    a.packed_seen_by[to] = a.seen_by[first + c];
  }
}

#ifndef __CUDACC__
// The host runs a kernel's threads `order[0..n)` one after the other; several callers at once are
// several multiprocessors.
#define HOST(kernel)                                                       \
  extern "C" void host_##kernel(const Launch* a, const int* order, int n) { \
    for (int t = 0; t < n; t++) {                                          \
      current_thread = order[t];                                           \
      kernel(*a);                                                          \
    }                                                                      \
  }
HOST(claim_pixels)
HOST(claim_points)
HOST(fuse_pixels)
HOST(fuse_points)
HOST(pack_blocks)
extern "C" int launch_bytes() { return (int)sizeof(Launch); }
#endif
