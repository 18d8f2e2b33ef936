"""Connected groups in a list of voxels: a hash of positions and a union-find, no grid."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.volume.voxel_hash import bits_for, slot_of


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
    table = np.zeros(1 << bits_for(count), np.int32)
    parent = np.arange(count)
    for n in range(count):
        i, j, k = ijk[n, 0], ijk[n, 1], ijk[n, 2]
        # neighbours already in the table: every pair is met once, by its later voxel
        for di in range(-1, 2):
            for dj in range(-1, 2):
                for dk in range(-1, 2):
                    at = table[slot_of(i + di, j + dj, k + dk, ijk, table)] - 1
                    if at >= 0:
                        a = _root(parent, at)
                        b = _root(parent, n)
                        parent[max(a, b)] = min(a, b)
        table[slot_of(i, j, k, ijk, table)] = n + 1
    groups = 0
    for n in range(count):
        root = _root(parent, n)
        if root == n:  # the smallest member of its group, so it comes first
            labels[n] = groups
            groups += 1
        else:
            labels[n] = labels[root]
    return groups
