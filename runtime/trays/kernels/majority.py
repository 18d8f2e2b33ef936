"""The inner loops of holding fields on one grid against each other."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def majority_of(fields, steady, index, least, found):
    """Write what field `index` is off the majority of the others, at every voxel, or NaN.

    fields (n, v) float32 with NaN, steady (n, v) bool, found (v,) float32. Nothing is said where
    fewer than `least` others are known, or neither this one nor the one it is held against is
    steady.
    """
    count, voxels = fields.shape
    apart = np.empty(count, np.float32)
    whose = np.empty(count, np.intp)
    for v in range(voxels):
        found[v] = np.nan
        own = fields[index, v]
        if own != own:
            continue
        known = 0
        for other in range(count):
            theirs = fields[other, v]
            if other != index and theirs == theirs:
                known = _put(apart, whose, known, own - theirs, other)
        if known < least:
            continue
        rank = max((known + 1) // 2 - 1, 0)
        if not (steady[index, v] or steady[whose[rank], v]):
            continue
        middle = _signed_middle(apart, known)
        found[v] = middle if abs(middle) < abs(apart[rank]) else apart[rank]


@njit(cache=True, nogil=True, error_model="numpy")
def median_of(fields, found):
    """Write the median of those that are known into found (v,), NaN where none is.

    fields (n, v) float32 with NaN.
    """
    count, voxels = fields.shape
    values = np.empty(count, np.float32)
    for v in range(voxels):
        known = 0
        for each in range(count):
            value = fields[each, v]
            if value == value:
                known = _insert(values, known, value)
        found[v] = np.nan if known == 0 else (values[(known - 1) // 2] + values[known // 2]) / 2


@njit(inline="always")
def _put(apart, whose, known, value, other):
    """Into the order of sizes, the smallest first."""
    at = known
    while at > 0 and abs(apart[at - 1]) > abs(value):
        apart[at] = apart[at - 1]
        whose[at] = whose[at - 1]
        at -= 1
    apart[at] = value
    whose[at] = other
    return known + 1


@njit(inline="always")
def _insert(values, known, value):
    at = known
    while at > 0 and values[at - 1] > value:
        values[at] = values[at - 1]
        at -= 1
    values[at] = value
    return known + 1


@njit(nogil=True, error_model="numpy")
def _signed_middle(apart, known):
    values = np.empty(known, np.float32)
    count = 0
    for each in range(known):
        count = _insert(values, count, apart[each])
    return (values[(known - 1) // 2] + values[known // 2]) / 2


@njit(cache=True, nogil=True, error_model="numpy")
def largest_common(size, order, needed):
    """What `needed` voxels that hang together reach, the most; 0 if none do.

    size (k, m, n) float32, order (v,): flat voxels, the largest size first. Voxels hang together
    by faces, edges and corners.
    """
    k, m, n = size.shape
    flat = size.reshape(-1)
    parent = np.full(k * m * n, -1, np.int32)
    many = np.zeros(k * m * n, np.int32)
    for at in order:
        parent[at] = at
        many[at] = 1
        a, b, c = at // (m * n), (at // n) % m, at % n
        for i in range(max(a - 1, 0), min(a + 2, k)):
            for j in range(max(b - 1, 0), min(b + 2, m)):
                for o in range(max(c - 1, 0), min(c + 2, n)):
                    beside = (i * m + j) * n + o
                    if parent[beside] >= 0:
                        _join(parent, many, at, beside)
        if many[_root(parent, at)] >= needed:
            return flat[at]
    return np.float32(0.0)


@njit(inline="always")
def _root(parent, at):
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@njit(inline="always")
def _join(parent, many, one, other):
    a, b = _root(parent, one), _root(parent, other)
    if a != b:
        parent[b] = a
        many[a] += many[b]
