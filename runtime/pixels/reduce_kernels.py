"""The inner loops of reducing a picture: each square block of its pixels becomes one."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

NOTHING = np.float32(np.nan)
FAR = np.float32(np.inf)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def mean_of_blocks(rows, image, block, out):
    """Rows [lo, hi) of out (h, w) uint8: the rounded mean of each block of image."""
    width = out.shape[1]
    columns = np.empty(width * block, np.uint16)
    area = block * block
    for y in range(rows[0], rows[1]):
        columns[:] = 0
        for j in range(y * block, (y + 1) * block):
            for x in range(width * block):
                columns[x] += image[j, x]
        for x in range(width):
            total = area // 2
            for i in range(x * block, (x + 1) * block):
                total += columns[i]
            out[y, x] = total // area


@njit(nogil=True, error_model="numpy")
def _take_row(row, low, high, total, known):
    """One row of samples into the least, the most, the sum and the number of each column; counting
    from 0, and without branches, the compiler uses vector instructions."""
    for x in range(low.size):
        d = row[x]
        there = (d > ZERO) & (d < FAR)
        near = d if there else FAR
        far = d if there else ZERO
        low[x] = near if near < low[x] else low[x]
        high[x] = far if far > high[x] else high[x]
        total[x] += far
        known[x] += ONE if there else ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def sample_of_blocks(rows, depth, block, steepest, order, out):
    """Rows [lo, hi) of out (h, w) float32: what each block of depth measured, NaN for nothing.

    steepest: by which share of its depth one surface may fall within a block. order (block^2, 2):
    rows and columns of a block, the middle ones first.
    """
    width = out.shape[1]
    low = np.empty(width * block, np.float32)
    high = np.empty(width * block, np.float32)
    total = np.empty(width * block, np.float32)
    known = np.empty(width * block, np.float32)
    for y in range(rows[0], rows[1]):
        low[:], high[:], total[:], known[:] = FAR, ZERO, ZERO, ZERO
        for j in range(y * block, (y + 1) * block):
            _take_row(depth[j], low, high, total, known)
        for x in range(width):
            out[y, x] = _of_block(
                depth, y * block, x * block, block, steepest, order, low, high, total, known
            )


@njit(inline="always")
def _of_block(depth, top, left, block, steepest, order, low, high, total, known):
    nearest, farthest, mean, returned = FAR, ZERO, ZERO, ZERO
    for i in range(left, left + block):
        nearest = low[i] if low[i] < nearest else nearest
        farthest = high[i] if high[i] > farthest else farthest
        mean += total[i]
        returned += known[i]
    area = block * block
    if 2 * returned < area:
        return NOTHING
    smooth = farthest - nearest <= steepest * nearest
    if smooth and returned == area:
        return mean / returned
    if smooth:
        return _nearest_middle(depth, top, left, order, nearest, farthest)
    between = np.float32(0.5) * (nearest + farthest)
    before = 0
    for j in range(top, top + block):
        for i in range(left, left + block):
            before += depth[j, i] <= between
    if 2 * before >= returned:
        return _nearest_middle(depth, top, left, order, nearest, between)
    return _nearest_middle(depth, top, left, order, between, farthest)


@njit(inline="always")
def _nearest_middle(depth, top, left, order, low, high):
    """The sample nearest to the block's middle of those between low and high."""
    for n in range(order.shape[0]):
        d = depth[top + order[n, 0], left + order[n, 1]]
        if low <= d <= high:
            return d
    return NOTHING
