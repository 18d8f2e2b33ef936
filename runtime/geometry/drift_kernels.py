"""What one view measured, compared with the surface that another view measured."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point


@njit(cache=True, nogil=True, error_model="numpy")
def compare_views(points, normals, t, turn, depth, rx, ry, lens, gate_mm, facing, rows):
    """Write one row per point that meets surface of the other view; returns their number.

    points, normals (n, 3) float32, camera frame of this view; t (4, 4) other_from_this, turn (3, 3)
    its rotation; depth, rx, ry (h, w) float32 of the other view. A row is the distance, mm, of the
    other view's surface from the point along the normal, and its derivative by a small motion of
    the camera on the flange: rotation vector, rad, and translation, mm, in the camera frame.
    """
    height, width = depth.shape
    count = 0
    for p in range(points.shape[0]):
        a, b, c = float(points[p, 0]), float(points[p, 1]), float(points[p, 2])
        z = t[2, 0] * a + t[2, 1] * b + t[2, 2] * c + t[2, 3]
        if not z > 0.0:
            continue
        x = t[0, 0] * a + t[0, 1] * b + t[0, 2] * c + t[0, 3]
        y = t[1, 0] * a + t[1, 1] * b + t[1, 2] * c + t[1, 3]
        u, v = project_point(x, y, z, lens)
        if not (u >= -0.5 and v >= -0.5 and u < width - 0.5 and v < height - 0.5):
            continue
        i = int(u + 0.5)
        j = int(v + 0.5)
        other = float(depth[j, i])
        if not other > 0.0:  # a NaN is not
            continue
        la, lb, lc = float(normals[p, 0]), float(normals[p, 1]), float(normals[p, 2])
        nx = turn[0, 0] * la + turn[0, 1] * lb + turn[0, 2] * lc
        ny = turn[1, 0] * la + turn[1, 1] * lb + turn[1, 2] * lc
        nz = turn[2, 0] * la + turn[2, 1] * lb + turn[2, 2] * lc
        length = np.sqrt(x * x + y * y + z * z)
        if (nx * x + ny * y + nz * z) > -facing * length:  # seen edge-on, or from behind
            continue
        ox, oy = float(rx[j, i]) * other, float(ry[j, i]) * other
        distance = nx * (ox - x) + ny * (oy - y) + nz * (other - z)
        if not abs(distance) <= gate_mm:
            continue
        rows[count, 0] = distance
        rows[count, 1] = (oy * nz - other * ny) - (b * lc - c * lb)
        rows[count, 2] = (other * nx - ox * nz) - (c * la - a * lc)
        rows[count, 3] = (ox * ny - oy * nx) - (a * lb - b * la)
        rows[count, 4] = nx - la
        rows[count, 5] = ny - lb
        rows[count, 6] = nz - lc
        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_equations(rows, twist, scale_mm, system):
    """Fill `system` (6, 7), Hessian and gradient, of the rows' squares at `twist` (6,).

    Weights: Geman and McClure (1985) with `scale_mm`.
    """
    system[:] = 0.0
    square = scale_mm * scale_mm
    for p in range(rows.shape[0]):
        left = rows[p, 0]
        for k in range(6):
            left += rows[p, k + 1] * twist[k]
        share = square / (square + left * left)
        weight = share * share
        for k in range(6):
            weighted = weight * rows[p, k + 1]
            for m in range(k, 6):
                system[k, m] += weighted * rows[p, m + 1]
            system[k, 6] += weighted * left
    for k in range(6):
        for m in range(k):
            system[k, m] = system[m, k]
