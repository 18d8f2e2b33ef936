"""The inner loops of the surface's score: deviations framed, and averaged over one surface."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

LARGEST_MM = np.float32(3.0)  # a mixed pixel at an edge must not outweigh its neighbours
ZERO = np.float32(0.0)
FAR = np.float32(1e9)  # a depth that is no neighbour of any surface, mm


@njit(cache=True, nogil=True, error_model="numpy")
def frame_deviation(rows, deviation, depth, believed, cell, framed, framed_depth, sums, counts):
    """Copy rows [lo, hi) of deviation and depth into arrays with a rim, 0 and FAR where there is no
    statement; sum the believed deviations of every cell x cell square, and count them.

    lo and hi are multiples of cell, or the end. The rims of the arrays are the caller's.
    """
    height, width = deviation.shape
    rim = (framed.shape[0] - height) // 2
    for y in range(rows[0], rows[1]):
        for x in range(width):
            d = deviation[y, x]
            known = not np.isnan(d)
            framed[y + rim, x + rim] = min(max(d, -LARGEST_MM), LARGEST_MM) if known else ZERO
            framed_depth[y + rim, x + rim] = depth[y, x] if known else FAR
            if abs(d) < believed:  # a NaN is not
                sums[y // cell, x // cell] += d
                counts[y // cell, x // cell] += np.float32(1.0)


@njit(nogil=True, error_model="numpy")
def _add_tap(tap, same_surface, centre, near, value, total, weight):
    """One tap for a whole row; counting from 0 lets the compiler use vector instructions."""
    for x in range(centre.size):
        w = tap if abs(near[x] - centre[x]) < same_surface else np.float32(0.0)
        total[x] += w * value[x]
        weight[x] += w


@njit(cache=True, nogil=True, error_model="numpy")
def score_on_surface(rows, framed, framed_depth, slow, weights, same_surface, scale, score):
    """Score of rows [lo, hi): |Gaussian mean over neighbours of the same surface - slow| * scale.

    The mean of few neighbours is as noisy as they are few: a score shrinks by the root of the share
    of the window that speaks. 0 where there is no statement. weights (k, k), k odd, no wider than
    the rims of the framed arrays allow. One tap of the window after the other over a whole row, so
    that the compiler can use vector instructions.
    """
    size = weights.shape[0]
    rim = (framed.shape[0] - score.shape[0]) // 2
    first = rim - size // 2
    width = score.shape[1]
    per_window = np.float32(1.0) / weights.sum()
    total = np.empty(width, np.float32)
    weight = np.empty(width, np.float32)
    for y in range(rows[0], rows[1]):
        centre = framed_depth[y + rim, rim : rim + width]
        lo = 0
        while lo < width and centre[lo] == FAR:
            lo += 1
        hi = width
        while hi > lo and centre[hi - 1] == FAR:
            hi -= 1
        score[y] = np.float32(0.0)
        total[lo:hi] = np.float32(0.0)
        weight[lo:hi] = np.float32(0.0)
        for j in range(size if hi > lo else 0):
            for i in range(size):
                _add_tap(
                    weights[j, i],
                    same_surface,
                    centre[lo:hi],
                    framed_depth[y + first + j, first + i + lo : first + i + hi],
                    framed[y + first + j, first + i + lo : first + i + hi],
                    total[lo:hi],
                    weight[lo:hi],
                )
        for x in range(lo, hi):
            if centre[x] != FAR:
                lonely = np.sqrt(weight[x] * per_window)
                score[y, x] = abs(total[x] / weight[x] - slow[y, x]) * scale * lonely
