"""The inner loops of lift and fuse. Scalars stay float32 and branches stay out where the compiler
can then use vector instructions; every kernel releases the GIL and is cached on disk.
"""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

HASH_MULTIPLIER = np.uint32(2654435769)  # 2^32 / golden ratio: spreads neighbouring blocks (Knuth)
HITS_MAX = np.uint16(65535)
RUN_PX = 256
_ZERO = np.float32(0)
NOWHERE = -1  # no return, the table, or no memory
BESIDE = -2  # above the table, outside the grid


@njit(inline="always")
def _number(gx, gy, gz, ok, box):
    """Block number * 64 + cell, or NOWHERE; `ok` says that the coordinates lie inside the grid."""
    # outside coordinates may not fit an int: they are replaced before they are converted
    i = np.int32(gx if ok else _ZERO)
    j = np.int32(gy if ok else _ZERO)
    k = np.int32(gz if ok else _ZERO)
    block = ((i >> 2) * box[4] + (j >> 2)) * box[5] + (k >> 2)
    cell = ((i & 3) << 4) | ((j & 3) << 2) | (k & 3)
    return np.int32((block << 6) | cell) if ok else np.int32(-1)


@njit(cache=True, nogil=True, error_model="numpy")
def number_pixels(z, rx, ry, m, box, table, numbers):
    """Voxel number of every pixel, NOWHERE or BESIDE; counts [inside, table, invalid].

    Half of a usual picture lies outside the sensor's range, in large areas: whole runs are skipped.
    """
    counts = np.zeros(3, np.int64)
    for lo in range(0, z.size, RUN_PX):
        hi = min(lo + RUN_PX, z.size)
        if _any_return(z[lo:hi]):
            _number_run(z[lo:hi], rx[lo:hi], ry[lo:hi], m, box, table, numbers[lo:hi], counts)
        else:
            numbers[lo:hi] = -1
            counts[2] += hi - lo
    return counts


@njit(nogil=True, error_model="numpy")
def _any_return(z):
    found = 0
    for p in range(z.size):
        found += z[p] > _ZERO
    return found > 0


@njit(nogil=True, error_model="numpy")
def _number_run(z, rx, ry, m, box, table, numbers, counts):
    nx, ny, nz = np.float32(box[0]), np.float32(box[1]), np.float32(box[2])
    m00, m01, m02, m03 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    m10, m11, m12, m13 = m[1, 0], m[1, 1], m[1, 2], m[1, 3]
    m20, m21, m22, m23 = m[2, 0], m[2, 1], m[2, 2], m[2, 3]
    inside = 0
    on_table = 0
    invalid = 0
    for p in range(z.size):
        d = z[p]
        x = rx[p] * d
        y = ry[p] * d
        gx = m00 * x + m01 * y + m02 * d + m03
        gy = m10 * x + m11 * y + m12 * d + m13
        gz = m20 * x + m21 * y + m22 * d + m23
        valid = d > _ZERO  # a NaN is not
        below = valid & (gz < table)
        ok = (
            valid
            & (gz >= table)
            & (gx >= _ZERO)
            & (gx < nx)
            & (gy >= _ZERO)
            & (gy < ny)
            & (gz >= _ZERO)
            & (gz < nz)
        )
        numbers[p] = _number(gx, gy, gz, ok, box) - np.int32(valid & (not (below | ok)))
        inside += ok
        on_table += below
        invalid += not valid
    counts[0] += inside
    counts[1] += on_table
    counts[2] += invalid


@njit(cache=True, nogil=True, error_model="numpy")
def number_points(points, m, box, table, numbers):
    """As `number_pixels`, for points (n, 3); a point that is not finite is invalid."""
    nx, ny, nz = np.float32(box[0]), np.float32(box[1]), np.float32(box[2])
    counts = np.zeros(3, np.int64)
    for p in range(points.shape[0]):
        x, y, d = points[p, 0], points[p, 1], points[p, 2]
        gx = m[0, 0] * x + m[0, 1] * y + m[0, 2] * d + m[0, 3]
        gy = m[1, 0] * x + m[1, 1] * y + m[1, 2] * d + m[1, 3]
        gz = m[2, 0] * x + m[2, 1] * y + m[2, 2] * d + m[2, 3]
        finite = np.isfinite(gx) & np.isfinite(gy) & np.isfinite(gz)
        below = finite & (gz < table)
        ok = finite & (not below) & (gx >= _ZERO) & (gx < nx) & (gy >= _ZERO) & (gy < ny)
        ok = ok & (gz >= _ZERO) & (gz < nz)
        numbers[p] = _number(gx, gy, gz, ok, box) - np.int32(finite & (not (below | ok)))
        counts[0] += ok
        counts[1] += below
        counts[2] += not finite
    return counts


@njit(inline="always")
def _entry(block, table, mask):
    """The hash entry of a block, or the free one where it belongs."""
    at = (np.uint32(block) * HASH_MULTIPLIER >> np.uint32(7)) & mask
    while table[at, 0] != 0 and table[at, 0] != block + 1:
        at = (at + np.uint32(1)) & mask
    return at


@njit(cache=True, nogil=True)
def hit_near(ijk, box, sparse, table, hits, near):
    """Whether each voxel (n, 3) or one of its 26 neighbours was hit, into near (n,) bool.

    Neighbours outside the grid were not. box (6,): shape and blocks of the grid.
    """
    mask = np.uint32(table.shape[0] - 1)
    for n in range(ijk.shape[0]):
        found = False
        for code in range(13, 27):  # offsets in base 3: the voxel itself, then opposite pairs
            for sign in (1, -1):
                i = ijk[n, 0] + sign * (code // 9 - 1)
                j = ijk[n, 1] + sign * (code // 3 % 3 - 1)
                k = ijk[n, 2] + sign * (code % 3 - 1)
                if i < 0 or j < 0 or k < 0 or i >= box[0] or j >= box[1] or k >= box[2]:
                    continue
                slot = ((i >> 2) * box[4] + (j >> 2)) * box[5] + (k >> 2)
                if sparse:
                    at = _entry(np.int32(slot), table, mask)
                    if table[at, 0] == 0:
                        continue
                    slot = table[at, 1]
                if hits[(slot << 6) | ((i & 3) << 4) | ((j & 3) << 2) | (k & 3)] > 0:
                    found = True
                    break
            if found:
                break
        near[n] = found


@njit(cache=True, nogil=True)
def find_slots(numbers, table, block_of_slot, used):
    """Replace block numbers by slot numbers, in place, adding blocks; returns points dropped.

    table: (2^n, 2) int32, block + 1 and slot; 0 is free. Linear probing. One thread only.
    """
    mask = np.uint32(table.shape[0] - 1)
    last_block = np.int32(-1)
    slot = np.int32(-1)
    dropped = 0
    for p in range(numbers.size):
        number = numbers[p]
        if number < 0:
            continue
        block = number >> 6
        if block != last_block:
            last_block = block
            at = _entry(block, table, mask)
            if table[at, 0] != 0:
                slot = table[at, 1]
            elif used[0] < block_of_slot.size:
                slot = np.int32(used[0])
                table[at, 0] = block + 1
                table[at, 1] = slot
                block_of_slot[slot] = block
                used[0] += 1
            else:
                slot = np.int32(-1)
        if slot < 0:
            numbers[p] = -1
            dropped += 1
        else:
            numbers[p] = (slot << 6) | (number & 63)
    return dropped


@njit(cache=True, nogil=True)
def write_voxels(numbers, score, volume_score, volume_hits, hit, support_score, part, mask):
    """Maximum and hits of the voxels of every second (fourth, ...) group of 64 blocks.

    A group, not a block, so that neighbouring pixels mostly share their writer. Returns how many
    of the points written have at least support_score.
    """
    supports = 0
    for p in range(numbers.size):
        number = numbers[p]
        if number < 0 or (number >> 12) & mask != part:
            continue
        at = np.uint32(number)  # unsigned: no test for an index that counts from the end
        # stored always, without a branch: which pixel is the maximum cannot be predicted
        s = score[p]
        supports += s >= support_score
        volume_score[at] = max(volume_score[at], s)
        volume_hits[at] += np.uint16(volume_hits[at] < HITS_MAX) * hit
    return supports
