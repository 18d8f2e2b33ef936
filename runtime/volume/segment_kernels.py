"""Connected groups in a list of voxels: a hash of positions and a union-find, no grid."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth)


@njit(inline="always")
def _slot(i, j, k, shift):
    # 21 bits for each index, plenty for a grid of fewer than 2^31 voxels
    key = (np.uint64(i) << np.uint64(42)) ^ (np.uint64(j) << np.uint64(21)) ^ np.uint64(k)
    return np.int64((key * _MULTIPLIER) >> shift)


@njit(inline="always")
def _find(i, j, k, ijk, table, shift):
    """Position of voxel (i, j, k) in the list, or -1."""
    slot = _slot(i, j, k, shift)
    while table[slot] != 0:
        at = table[slot] - 1
        if ijk[at, 0] == i and ijk[at, 1] == j and ijk[at, 2] == k:
            return at
        slot = (slot + 1) & (table.size - 1)
    return -1


@njit(inline="always")
def _root(parent, at):
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@njit(cache=True, nogil=True)
def label_voxels(ijk, labels):
    """Write the group of every voxel (n, 3), numbered in the order of their first voxel."""
    count = ijk.shape[0]
    bits = 4
    while (1 << bits) < 2 * count:
        bits += 1
    shift = np.uint64(64 - bits)
    table = np.zeros(1 << bits, np.int32)
    parent = np.arange(count)
    for n in range(count):
        i, j, k = ijk[n, 0], ijk[n, 1], ijk[n, 2]
        # neighbours already in the table: every pair is met once, by its later voxel
        for di in range(-1, 2):
            for dj in range(-1, 2):
                for dk in range(-1, 2):
                    at = _find(i + di, j + dj, k + dk, ijk, table, shift)
                    if at >= 0:
                        a = _root(parent, at)
                        b = _root(parent, n)
                        parent[max(a, b)] = min(a, b)
        slot = _slot(i, j, k, shift)
        while table[slot] != 0:
            slot = (slot + 1) & (table.size - 1)
        table[slot] = n + 1
    groups = 0
    for n in range(count):
        root = _root(parent, n)
        if root == n:  # the smallest member of its group, so it comes first
            labels[n] = groups
            groups += 1
        else:
            labels[n] = labels[root]
    return groups
