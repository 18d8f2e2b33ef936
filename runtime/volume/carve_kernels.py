"""The inner loops of carving: cells along rays, each once, and those that golden rays passed."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.comparison.expected import RETURNED
from voxgate.runtime.geometry.rays import project_point
from voxgate.runtime.volume.voxel_hash import bits_for, slot_of


@njit(cache=True, nogil=True)
def cells_between(start_mm, end_mm, score, origin_mm, cell_mm, shape):
    """Cells (m, 3) int64 of a grid along the segments (n, 3), each once, and scores (m,) float32:
    the largest of the segments through them."""
    most = 0
    for n in range(score.size):
        most += _steps(start_mm[n], end_mm[n], cell_mm)
    table = np.zeros(1 << bits_for(most), np.int64)
    cells = np.empty((most, 3), np.int64)
    largest = np.empty(most, np.float32)
    count = 0
    for n in range(score.size):
        steps = _steps(start_mm[n], end_mm[n], cell_mm)
        for step in range(steps):
            along = step / steps
            i = _cell(start_mm[n, 0], end_mm[n, 0], along, origin_mm[0], cell_mm)
            j = _cell(start_mm[n, 1], end_mm[n, 1], along, origin_mm[1], cell_mm)
            k = _cell(start_mm[n, 2], end_mm[n, 2], along, origin_mm[2], cell_mm)
            if min(i, j, k) < 0 or i >= shape[0] or j >= shape[1] or k >= shape[2]:
                continue
            slot = slot_of(i, j, k, cells, table)
            if table[slot] == 0:
                cells[count, 0] = i
                cells[count, 1] = j
                cells[count, 2] = k
                largest[count] = score[n]
                count += 1
                table[slot] = count
            largest[table[slot] - 1] = max(largest[table[slot] - 1], score[n])
    return cells[:count], largest[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def add_passed(points_mm, t, lens, depth_mm, known, radius_px, by_mm, passed):
    """Set `passed` (n,) of the points (n, 3) that the rays of one view passed by more than by_mm:
    all rays of the window around a point returned, and from behind it.

    t: (4, 4) camera_from_points; depth_mm (h, w) float32, known (h, w) uint8, with RETURNED where
    depth is (see ExpectedView).
    """
    height, width = depth_mm.shape
    for n in range(points_mm.shape[0]):
        if passed[n]:
            continue
        a, b, c = points_mm[n, 0], points_mm[n, 1], points_mm[n, 2]
        z = t[2, 0] * a + t[2, 1] * b + t[2, 2] * c + t[2, 3]
        if z <= 0.0:
            continue
        x = t[0, 0] * a + t[0, 1] * b + t[0, 2] * c + t[0, 3]
        y = t[1, 0] * a + t[1, 1] * b + t[1, 2] * c + t[1, 3]
        u, v = project_point(x, y, z, lens)
        if (
            u > radius_px - 0.5
            and v > radius_px - 0.5
            and u < width - radius_px - 0.5
            and v < height - radius_px - 0.5
        ):
            i, j = int(u + 0.5), int(v + 0.5)
            passed[n] = _all_behind(depth_mm, known, i, j, radius_px, z + by_mm)


@njit(inline="always")
def _all_behind(depth_mm, known, i, j, radius_px, z):
    for y in range(j - radius_px, j + radius_px + 1):
        for x in range(i - radius_px, i + radius_px + 1):
            if not (known[y, x] & RETURNED and depth_mm[y, x] > z):
                return False
    return True


@njit(inline="always")
def _steps(a, b, cell_mm):
    squares = (b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2 + (b[2] - a[2]) ** 2
    return int(np.sqrt(squares) / cell_mm)


@njit(inline="always")
def _cell(start, end, along, origin, cell):
    return int(np.floor((start + along * (end - start) - origin) / cell))
