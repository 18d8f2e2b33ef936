"""Fields on a grid, asked for what they are between voxels."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def sample(fields, cells, clamp, found):
    """Write what fields (k, m, n, f) float32 are at cells (p, 3), in voxels from the centre of the
    first one, into found (p, f) float64; linear between eight voxels.

    Beyond the outermost centres it is NaN, or what it is at the nearest place if `clamp`.
    """
    k, m, n, count = fields.shape
    for p in range(len(cells)):
        x, y, z = cells[p]
        if clamp:
            x, y, z = _within(x, k), _within(y, m), _within(z, n)
        elif not (0.0 <= x <= k - 1 and 0.0 <= y <= m - 1 and 0.0 <= z <= n - 1):
            found[p] = np.nan
            continue
        a, b, c = min(int(x), k - 2), min(int(y), m - 2), min(int(z), n - 2)
        fx, fy, fz = x - a, y - b, z - c
        for f in range(count):
            low = _face(fields, a, b, c, f, fy, fz)
            found[p, f] = low + (_face(fields, a + 1, b, c, f, fy, fz) - low) * fx


@njit(inline="always")
def _within(x, length):
    return min(max(x, 0.0), length - 1.0)


@njit(inline="always")
def _face(fields, a, b, c, f, fy, fz):
    near = fields[a, b, c, f] + (fields[a, b, c + 1, f] - fields[a, b, c, f]) * fz
    far = fields[a, b + 1, c, f] + (fields[a, b + 1, c + 1, f] - fields[a, b + 1, c, f]) * fz
    return near + (far - near) * fy
