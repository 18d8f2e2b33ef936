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
def frame_deviation(
    rows, top, left, deviation, depth, believed, cell, rim, framed, framed_depth, sums, counts
):
    """Copy rows [lo, hi) of a piece of deviation and depth, whose corner is (top, left), into
    arrays with a rim, 0 and FAR where there is no statement; sum the believed deviations of every
    cell x cell square, and count them.

    lo and hi are multiples of cell, or the end. The rims of the arrays are the caller's.
    """
    width = framed.shape[1] - 2 * rim
    for y in range(rows[0], rows[1]):
        own = deviation[top + y][left : left + width]
        _frame_row(
            own,
            depth[top + y][left : left + width],
            framed[y + rim][rim : rim + width],
            framed_depth[y + rim][rim : rim + width],
        )
        _sum_cells(own, believed, cell, sums[y // cell], counts[y // cell])


@njit(nogil=True, error_model="numpy")
def _frame_row(deviation, depth, framed, framed_depth):
    """Without branches, so that the compiler uses vector instructions."""
    for x in range(deviation.size):
        d = deviation[x]
        known = d == d
        clipped = min(max(d, -LARGEST_MM), LARGEST_MM)
        framed[x] = clipped if known else ZERO
        framed_depth[x] = depth[x] if known else FAR


@njit(nogil=True, error_model="numpy")
def _sum_cells(deviation, believed, cell, sums, counts):
    """Add a row's believed deviations to the cells that it crosses, and count them."""
    for c in range(sums.size):
        total, count = ZERO, ZERO
        for x in range(c * cell, min((c + 1) * cell, deviation.size)):
            d = deviation[x]
            counts_too = abs(d) < believed  # a NaN does not
            total += d if counts_too else ZERO
            count += np.float32(counts_too)
        sums[c] += total
        counts[c] += count


@njit(cache=True, nogil=True, error_model="numpy")
def join_scales(
    rows, top, left, broad, fine, roughness, spread, least_square, noise, per_tolerance, most, score
):
    """Write the larger of two scales into rows [lo, hi) of a piece of the score, whose corner is
    (top, left): the fine one, mm, beyond the noise of a surface that is rough by so much; both
    shrunk where good parts differ.

    broad, fine of the piece; roughness, spread (mm) and score of the whole. least_square: mm2, of
    the smoothest surface; noise: share of its tolerance below which the fine one says nothing.
    """
    one = np.float32(1.0)
    rest = one / (one - noise)
    width = broad.shape[1]
    for y in range(rows[0], rows[1]):
        rough, differs = (
            roughness[top + y][left : left + width],
            spread[top + y][left : left + width],
        )
        own, coarse, peaks = score[top + y][left : left + width], broad[y], fine[y]
        for x in range(width):
            peak = (peaks[x] / np.sqrt(rough[x] * rough[x] + least_square) - noise) * rest
            taught = differs[x] * per_tolerance
            larger = max(coarse[x], peak) / np.sqrt(one + taught * taught)
            own[x] = min(larger, most)


@njit(nogil=True, error_model="numpy")
def _add_tap(tap, same_surface, centre, near, value, total, weight):
    """One tap for a whole row; counting from 0 lets the compiler use vector instructions."""
    for x in range(centre.size):
        w = tap if abs(near[x] - centre[x]) < same_surface else np.float32(0.0)
        total[x] += w * value[x]
        weight[x] += w


@njit(nogil=True, error_model="numpy")
def _add_four_taps(taps, same_surface, centre, near, value, total, weight):
    """Four neighbouring taps at once, in their order: the sums stay in registers between them."""
    zero = np.float32(0.0)
    w0, w1, w2, w3 = taps[0], taps[1], taps[2], taps[3]
    n = centre.size
    near0, near1, near2, near3 = near[0:n], near[1 : 1 + n], near[2 : 2 + n], near[3 : 3 + n]
    value0, value1, value2, value3 = (
        value[0:n],
        value[1 : 1 + n],
        value[2 : 2 + n],
        value[3 : 3 + n],
    )
    for x in range(n):
        c = centre[x]
        a = w0 if abs(near0[x] - c) < same_surface else zero
        b = w1 if abs(near1[x] - c) < same_surface else zero
        d = w2 if abs(near2[x] - c) < same_surface else zero
        e = w3 if abs(near3[x] - c) < same_surface else zero
        total[x] = total[x] + a * value0[x] + b * value1[x] + d * value2[x] + e * value3[x]
        weight[x] = weight[x] + a + b + d + e


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
            near = framed_depth[y + first + j, first + lo :]
            value = framed[y + first + j, first + lo :]
            fours = size // 4 * 4
            for i in range(0, fours, 4):
                _add_four_taps(
                    weights[j, i:],
                    same_surface,
                    centre[lo:hi],
                    near[i:],
                    value[i:],
                    total[lo:hi],
                    weight[lo:hi],
                )
            for i in range(fours, size):
                _add_tap(
                    weights[j, i],
                    same_surface,
                    centre[lo:hi],
                    near[i:],
                    value[i:],
                    total[lo:hi],
                    weight[lo:hi],
                )
        for x in range(lo, hi):
            if centre[x] != FAR:
                lonely = np.sqrt(weight[x] * per_window)
                score[y, x] = abs(total[x] / weight[x] - slow[y, x]) * scale * lonely
