"""A list of voxels, found by position inside a kernel: no grid, no memory for empty space."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth)


@njit(inline="always")
def bits_for(count):
    """A table of 2^bits entries is at most half full: chains stay short."""
    bits = 4
    while (1 << bits) < 2 * count:
        bits += 1
    return bits


@njit(inline="always")
def slot_of(i, j, k, ijk, table):
    """Where voxel (i, j, k) stands in the table, or would; table (2^n,): position in ijk + 1."""
    # 21 bits for each index, plenty for a grid of fewer than 2^31 voxels
    key = (np.uint64(i) << np.uint64(42)) ^ (np.uint64(j) << np.uint64(21)) ^ np.uint64(k)
    slot = np.int64((key * _MULTIPLIER) >> np.uint64(32)) & (table.size - 1)
    while table[slot] != 0:
        at = table[slot] - 1
        if ijk[at, 0] == i and ijk[at, 1] == j and ijk[at, 2] == k:
            return slot
        slot = (slot + 1) & (table.size - 1)
    return slot
