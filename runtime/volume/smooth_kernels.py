"""The inner loop of smoothing: the root mean square over neighbours in a list of voxels."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.volume.voxel_hash import bits_for, slot_of

LOUDEST = np.float32(1.0)  # more than the threshold a voxel does not say of its neighbours
NEIGHBOURS = 26


@njit(cache=True, nogil=True)
def smooth_scores(ijk, score, shape, weights, plane_share, least):
    """Root mean squares (n,) of the voxels (n, 3), then the empty voxels (m, 3) of the grid beside
    those that score at least `least`, and theirs (m,).

    An empty voxel's shrinks as far as its surroundings hold less than plane_share of the
    weight.
    """
    count = ijk.shape[0]
    loud = np.flatnonzero(score >= least)
    every = np.empty((count + NEIGHBOURS * loud.size, 3), np.int32)
    every[:count] = ijk
    table = np.zeros(1 << bits_for(every.shape[0]), np.int32)
    for n in range(count):
        table[slot_of(ijk[n, 0], ijk[n, 1], ijk[n, 2], every, table)] = n + 1
    used = count
    for at in loud:
        used = _add_empty(ijk[at], shape, every, table, used)
    mean = np.empty(used, np.float32)
    plane = plane_share * weights.sum()
    for n in range(used):
        squares, weight = _around(every[n], score, weights, every, table)
        mean[n] = np.sqrt(squares / weight)
        if n >= count:
            mean[n] *= min(weight / plane, LOUDEST)
    return mean[:count], every[count:used], mean[count:]


@njit(inline="always")
def _add_empty(at, shape, every, table, used):
    """Append those of the 26 neighbours that the list lacks; returns its new length."""
    for i in range(max(at[0] - 1, 0), min(at[0] + 2, shape[0])):
        for j in range(max(at[1] - 1, 0), min(at[1] + 2, shape[1])):
            for k in range(max(at[2] - 1, 0), min(at[2] + 2, shape[2])):
                slot = slot_of(i, j, k, every, table)
                if table[slot] == 0:
                    every[used, 0] = i
                    every[used, 1] = j
                    every[used, 2] = k
                    used += 1
                    table[slot] = used
    return used


@njit(inline="always")
def _around(at, score, weights, every, table):
    """Weighted squares of the scores, and weights, of the measured voxels among the 27."""
    squares = np.float32(0.0)
    weight = np.float32(0.0)
    for a in range(3):
        for b in range(3):
            for c in range(3):
                i, j, k = at[0] + a - 1, at[1] + b - 1, at[2] + c - 1
                near = table[slot_of(i, j, k, every, table)] - 1
                if 0 <= near < score.size:
                    squares += weights[a, b, c] * min(score[near], LOUDEST) ** 2
                    weight += weights[a, b, c]
    return squares, weight
