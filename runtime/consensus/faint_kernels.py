"""The inner loops of faint marks: what a view says of a piece, who agrees, and who is alone."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

NOTHING = -1  # of a view that says nothing of a piece


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(own, golden, steep, compared, dark, bright, noise_grey, alike, known, weight):
    """Write into known (h, w) where a picture tells of a factor, 1 or 0, and into weight how surely
    by the variance that noise and a misplaced pixel leave of the grey level's logarithm."""
    for j in range(own.shape[0]):
        for i in range(own.shape[1]):
            grey = golden[j, i]
            told = compared[j, i] and grey >= dark and grey <= bright and own[j, i] <= bright
            noise = (noise_grey * noise_grey + steep[j, i]) / (grey * grey) + alike * alike
            known[j, i] = np.float32(told)
            weight[j, i] = known[j, i] / noise


@njit(cache=True, nogil=True, error_model="numpy")
def hold(ratio, light, golden, steep, fine, gloss, known, per_grey, per_log, largest):
    """Make of ratio (h, w), a logarithm, by how many tolerances it is apart from light; 0 where it
    is not known.

    per_grey: grey levels of noise; what counts of steep and fine, squares of grey levels, and of
    gloss; per_log: what is alike and the shade, as logarithms.
    """
    noise, misplaced, drawn, unsteady = per_grey
    alike, shade = per_log
    for j in range(ratio.shape[0]):
        for i in range(ratio.shape[1]):
            flickers = unsteady * gloss[j, i]
            grey = (
                noise * noise + misplaced * steep[j, i] + drawn * fine[j, i] + flickers * flickers
            )
            tolerance = grey / (golden[j, i] * golden[j, i]) + alike * alike + shade * shade
            differs = min(max(ratio[j, i] - light[j, i], -largest), largest)
            ratio[j, i] = known[j, i] * differs / np.sqrt(tolerance)


@njit(cache=True, nogil=True, error_model="numpy")
def write_down(pixels, top, left, step, darker, brighter, known, least_known, unit, said):
    """Write into said (n, 2) int8 by how many units a view is darker, and brighter, at a piece;
    NOTHING where less than least_known of it is compared.

    pixels (n, 2): row and column of each piece; darker, <= 0, brighter, known (h, w) of cells that
    are `step` pixels square, the first at (top, left).
    """
    height, width = known.shape
    for n in range(pixels.shape[0]):
        said[n, 0] = said[n, 1] = NOTHING
        j, i = pixels[n, 0] - top, pixels[n, 1] - left
        if 0 <= j < height * step and 0 <= i < width * step:
            j, i = j // step, i // step
            if known[j, i] >= least_known:
                said[n, 0] = _units(-darker[j, i] / unit)
                said[n, 1] = _units(brighter[j, i] / unit)


@njit(cache=True, nogil=True, error_model="numpy")
def agree_faint(said, least_views, unit, agreed):
    """Write into agreed (n, 2) float32 what all but a quarter of the views say at least: by how
    much darker a piece is, and brighter; NOTHING where fewer than least_views say anything.

    said (views, n, 2) int8, in units.
    """
    views = said.shape[0]
    least = np.empty(views, np.int8)
    for n in range(said.shape[1]):
        count = 0
        for view in range(views):
            count += said[view, n, 0] >= 0
        for way in range(2):
            agreed[n, way] = NOTHING
            if count >= least_views:
                agreed[n, way] = unit * _at(said[:, n, way], (count - 1) // 4, least)


@njit(cache=True, nogil=True, error_model="numpy")
def keep_joined(agreed, some, ijk, shape, numbers, order, least, joined):
    """Write into joined (m, 2) what the pieces `some` (m,) say together with their neighbours: the
    most that `least` pieces of 27 voxels say at least, and the one in the middle too.

    ijk (n, 3): voxels of all pieces; numbers (n,): of these, ascending, order (n,) whose each is.
    """
    around, values = np.empty(27, np.intp), np.empty(27, np.float32)
    for m in range(some.size):
        count = _neighbours(ijk[some[m]], shape, numbers, order, around)
        for way in range(2):
            own = agreed[some[m], way]
            for at in range(count):
                values[at] = agreed[around[at], way]
            joined[m, way] = 0.0
            if count >= least:
                joined[m, way] = min(own, np.sort(values[:count])[count - least])


@njit(cache=True, nogil=True, error_model="numpy")
def usual_around(agreed, regions, starts, members, share, usual):
    """Write into usual (r,) what is said, either way, at most `share` of the pieces of each of
    `regions` (r,) that say anything, some at least; the members of one are members[starts[region] :
    starts[region + 1]]."""
    for r in range(regions.size):
        first, end = starts[regions[r]], starts[regions[r] + 1]
        values, count = np.empty(end - first, np.float32), 0
        for at in range(first, end):
            values[count] = max(agreed[members[at], 0], agreed[members[at], 1])
            count += values[count] >= 0.0
        usual[r] = np.sort(values[:count])[int(share * (count - 1))]


@njit(inline="always")
def _units(value):
    return np.int8(min(max(value, 0.0), 127.0))


@njit(inline="always")
def _at(values, rank, least):
    """The number of this rank, from 0, among those that are not NOTHING; least: room for them."""
    kept = 0
    for value in values:
        if value < 0 or (kept > rank and value >= least[rank]):
            continue
        at = min(kept, rank)
        if kept <= rank:
            kept += 1
        while at > 0 and least[at - 1] > value:
            least[at] = least[at - 1]
            at -= 1
        least[at] = value
    return least[rank]


@njit(inline="always")
def _neighbours(middle, shape, numbers, order, around):
    """Write into around the pieces in the 27 voxels around one, its own too; returns how many."""
    count = 0
    for i in range(max(middle[0] - 1, 0), min(middle[0] + 2, shape[0])):
        for j in range(max(middle[1] - 1, 0), min(middle[1] + 2, shape[1])):
            column = (i * shape[1] + j) * shape[2]
            end = column + min(middle[2] + 2, shape[2])
            at = np.searchsorted(numbers, column + max(middle[2] - 1, 0))
            while at < numbers.size and numbers[at] < end:
                around[count] = order[at]
                count += 1
                at += 1
    return count
