"""Gaussian means of what is known on few voxels of a grid."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def blur(values, weights, share, mean):
    """Write where values (k, m, n) float32 are known, not NaN, the weight of what is known around
    into share and its weighted sum into mean, both (k, m, n) float32 of zeros.

    weights (2 r + 1,) float32 of a separable kernel; beyond the borders the grid is mirrored.
    """
    k, m, n = values.shape
    reach = len(weights) // 2
    lines = np.zeros((2, k, m, n), np.float32)
    slabs = np.zeros((2, k, m, n), np.float32)
    for a in range(k):
        for b in range(m):
            low, high = n, 0  # of what this line reaches: all else stays 0
            for c in range(n):
                value = values[a, b, c]
                if value == value:
                    low, high = min(low, max(c - reach, 0)), min(c + reach + 1, n)
                    _spread(lines[0, a, b], lines[1, a, b], c, value, weights, reach)
            if low < high:
                for at in (b, -1 - b, 2 * m - 1 - b):
                    for row in range(max(at - reach, 0), min(at + reach + 1, m)):
                        weight = weights[row - at + reach]
                        for c in range(low, high):
                            slabs[0, a, row, c] += weight * lines[0, a, b, c]
                            slabs[1, a, row, c] += weight * lines[1, a, b, c]
    for a in range(k):
        for b in range(m):
            for c in range(n):
                if values[a, b, c] == values[a, b, c]:
                    total, known = np.float32(0.0), np.float32(0.0)
                    for step in range(-reach, reach + 1):
                        slab = _mirrored(a + step, k)
                        known += weights[step + reach] * slabs[0, slab, b, c]
                        total += weights[step + reach] * slabs[1, slab, b, c]
                    share[a, b, c] = known
                    mean[a, b, c] = total


@njit(inline="always")
def _spread(known, total, c, value, weights, reach):
    n = len(known)
    for at in (c, -1 - c, 2 * n - 1 - c):
        for to in range(max(at - reach, 0), min(at + reach + 1, n)):
            weight = weights[to - at + reach]
            known[to] += weight
            total[to] += weight * value


@njit(inline="always")
def _mirrored(at, length):
    if at < 0:
        at = -1 - at
    if at >= length:
        at = 2 * length - 1 - at
    return min(max(at, 0), length - 1)
