"""The inner loop of the expected surface: what a golden view saw, summed up voxel by voxel."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

NOWHERE = -1


@njit(cache=True, nogil=True, error_model="numpy")
def add_view(
    measured, depth, rx, ry, plane, t, step, pixel_square, grazing,
    origin_mm, voxel_mm, shape, numbers, sums, area_mm2,
):  # fmt: skip
    """Add the part's pixels of one view, every `step`-th from its half on, to the voxels that hold
    their points.

    measured (h, w) bool, depth, rx, ry (h, w), plane (h, w, 4) float32; t (4, 4) of camera to part;
    pixel_square: of a pixel at a depth of 1; grazing: least cosine between ray and normal.
    numbers (n,): flat numbers of the voxels, ascending. sums (n, 7): points, their sum and that of
    their normals, part frame; area_mm2 (n,).
    """
    last, at = NOWHERE, NOWHERE
    for y in range(step // 2, measured.shape[0], step):
        for x in range(step // 2, measured.shape[1], step):
            if not measured[y, x]:
                continue
            d = depth[y, x]
            a, b, c = float(rx[y, x] * d), float(ry[y, x] * d), float(d)
            px = t[0, 0] * a + t[0, 1] * b + t[0, 2] * c + t[0, 3]
            py = t[1, 0] * a + t[1, 1] * b + t[1, 2] * c + t[1, 3]
            pz = t[2, 0] * a + t[2, 1] * b + t[2, 2] * c + t[2, 3]
            number = _number(px, py, pz, origin_mm, voxel_mm, shape)
            if number != last:
                last, at = number, _find(numbers, number)
            if at == NOWHERE:
                continue
            p, q, r = float(plane[y, x, 0]), float(plane[y, x, 1]), float(plane[y, x, 2])
            facing = abs(p * a + q * b + r * c) / np.sqrt(a * a + b * b + c * c)
            area_mm2[at] += step * step * c * c * pixel_square / max(facing, grazing)
            sums[at, 0] += 1.0
            sums[at, 1] += px
            sums[at, 2] += py
            sums[at, 3] += pz
            sums[at, 4] += t[0, 0] * p + t[0, 1] * q + t[0, 2] * r
            sums[at, 5] += t[1, 0] * p + t[1, 1] * q + t[1, 2] * r
            sums[at, 6] += t[2, 0] * p + t[2, 1] * q + t[2, 2] * r


@njit(inline="always")
def _number(px, py, pz, origin_mm, voxel_mm, shape):
    """Flat number of the voxel that holds a point, or NOWHERE."""
    i = int(np.floor((px - origin_mm[0]) / voxel_mm))
    j = int(np.floor((py - origin_mm[1]) / voxel_mm))
    k = int(np.floor((pz - origin_mm[2]) / voxel_mm))
    if min(i, j, k) < 0 or i >= shape[0] or j >= shape[1] or k >= shape[2]:
        return NOWHERE
    return (i * shape[1] + j) * shape[2] + k


@njit(inline="always")
def _find(numbers, number):
    """Where a number stands in ascending ones, or NOWHERE."""
    at = np.searchsorted(numbers, number)
    return at if at < numbers.size and numbers[at] == number else NOWHERE
