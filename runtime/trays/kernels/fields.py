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


@njit(cache=True, nogil=True, error_model="numpy")
def add_slopes(distance, voxel, unknown, fields):
    """Write distance (k, m, n) float32, `unknown` where it is NaN, and its three slopes into the
    first four of fields (k, m, n, 4 or more) float32."""
    k, m, n = distance.shape
    for a in range(k):
        for b in range(m):
            for c in range(n):
                here = distance[a, b, c]
                fields[a, b, c, 0] = here if here == here else unknown
    for a in range(k):
        for b in range(m):
            for c in range(n):
                before, after = fields[max(a - 1, 0), b, c, 0], fields[min(a + 1, k - 1), b, c, 0]
                fields[a, b, c, 1] = _slope(before, after, a, k, voxel)
                before, after = fields[a, max(b - 1, 0), c, 0], fields[a, min(b + 1, m - 1), c, 0]
                fields[a, b, c, 2] = _slope(before, after, b, m, voxel)
                before, after = fields[a, b, max(c - 1, 0), 0], fields[a, b, min(c + 1, n - 1), 0]
                fields[a, b, c, 3] = _slope(before, after, c, n, voxel)


@njit(inline="always")
def _slope(before, after, at, length, voxel):
    return (after - before) / (2.0 * voxel if 0 < at < length - 1 else voxel)


@njit(cache=True, nogil=True, error_model="numpy")
def shift_onto(fields, cells, voxel, scale, steps):
    """By how much, mm, cells (p, 3), in voxels from the centre of the first one, are to be shifted
    until they lie on a surface: Gauss-Newton with Geman-McClure weights.

    fields (k, m, n, 4) float32: distance, mm, and its slopes; beyond them they go on as at their
    borders. scale: of the weights, mm.
    """
    k, m, n, _ = fields.shape
    shift = np.zeros(3)
    here = np.empty(4)
    for _ in range(steps):
        hessian = 1e-2 * len(cells) * np.eye(3)
        pull = np.zeros(3)
        for p in range(len(cells)):
            x = _within(cells[p, 0] + shift[0] / voxel, k)
            y = _within(cells[p, 1] + shift[1] / voxel, m)
            z = _within(cells[p, 2] + shift[2] / voxel, n)
            a, b, c = min(int(x), k - 2), min(int(y), m - 2), min(int(z), n - 2)
            for f in range(4):
                low = _face(fields, a, b, c, f, y - b, z - c)
                here[f] = low + (_face(fields, a + 1, b, c, f, y - b, z - c) - low) * (x - a)
            apart = here[0] / (2 * scale)
            weight = 1 / (1 + apart * apart) ** 2
            for i in range(3):
                pull[i] += weight * here[1 + i] * here[0]
                for j in range(3):
                    hessian[i, j] += weight * here[1 + i] * here[1 + j]
        shift -= np.linalg.solve(hessian, pull)
    return np.sqrt((shift * shift).sum())


@njit(inline="always")
def _within(x, length):
    return min(max(x, 0.0), length - 1.0)


@njit(inline="always")
def _face(fields, a, b, c, f, fy, fz):
    near = fields[a, b, c, f] + (fields[a, b, c + 1, f] - fields[a, b, c, f]) * fz
    far = fields[a, b + 1, c, f] + (fields[a, b + 1, c + 1, f] - fields[a, b + 1, c, f]) * fz
    return near + (far - near) * fy
