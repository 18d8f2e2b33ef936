"""What one view measured, compared with the surface that another view measured."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.plane_kernels import RADIUS_PX, fit_plane
from voxgate.runtime.geometry.rays import project_point

CHUNK = 512  # rows at a time: what is worked out of them stays in the first cache


@njit(cache=True, nogil=True, error_model="numpy")
def sample_surface(depth, rx, ry, step, points, normals):
    """Fill points and normals (n, 3) float32, camera frame, from every step-th pixel of every
    step-th row, or evenly from fewer; returns how many.

    depth, rx, ry (h, w) float32; a pixel without a plane gives no point.
    """
    height, width = depth.shape
    first = max(step // 2, RADIUS_PX)
    returned = 0
    for y in range(first, height - RADIUS_PX, step):
        for x in range(first, width - RADIUS_PX, step):
            returned += depth[y, x] > 0.0
    skip = max(1, -(-returned // points.shape[0]))
    plane = np.empty(4, np.float32)
    number = count = 0
    for y in range(first, height - RADIUS_PX, step):
        for x in range(first, width - RADIUS_PX, step):
            z = depth[y, x]
            if not z > 0.0:  # a NaN is not
                continue
            if number % skip == 0 and fit_plane(depth, y, x, rx, ry, plane):
                points[count, 0] = rx[y, x] * z
                points[count, 1] = ry[y, x] * z
                points[count, 2] = z
                normals[count] = plane[:3]
                count += 1
            number += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def compare_views(points, normals, t, turn, depth, rx, ry, lens, gate_mm, facing, first, rows):
    """Write a column of rows (7, n), from `first` on, per point that meets surface of the other
    view; returns the number of the next free one.

    points, normals (n, 3) float32, camera frame of this view; t (4, 4) other_from_this, turn (3, 3)
    its rotation; depth, rx, ry (h, w) float32 of the other view. A column is the distance, mm, of
    the other view's surface from the point along the normal, and its derivative by a small motion
    of the camera on the flange: rotation vector, rad, and translation, mm, in the camera frame.
    """
    height, width = depth.shape
    count = first
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
        rows[0, count] = distance
        rows[1, count] = (oy * nz - other * ny) - (b * lc - c * lb)
        rows[2, count] = (other * nx - ox * nz) - (c * la - a * lc)
        rows[3, count] = (ox * ny - oy * nx) - (a * lb - b * la)
        rows[4, count] = nx - la
        rows[5, count] = ny - lb
        rows[6, count] = nz - lc
        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_equations(rows, count, twist, scale_mm, system):
    """Fill `system` (6, 7), Hessian and gradient, of the squares of the first `count` columns of
    rows (7, n) at `twist` (6,).

    Weights: Geman and McClure (1985) with `scale_mm`.
    """
    system[:] = 0.0
    left, weight = np.empty(CHUNK), np.empty(CHUNK)
    for first in range(0, count, CHUNK):
        end = min(first + CHUNK, count)
        size = end - first
        _weigh(rows, first, twist, scale_mm * scale_mm, left[:size], weight[:size])
        for k in range(6):
            own = rows[k + 1][first:end]
            for m in range(k, 6):
                system[k, m] += _sum_of(weight[:size], own, rows[m + 1][first:end])
            system[k, 6] += _sum_of(weight[:size], own, left[:size])
    for k in range(6):
        for m in range(k):
            system[k, m] = system[m, k]


@njit(nogil=True, error_model="numpy")
def _weigh(rows, first, twist, square, left, weight):
    """What is left of the distances after the motion, and how far it is believed.

    A row is sliced alone: of a slice of all of them the compiler does not know that each lies in
    one piece.
    """
    left[:] = rows[0][first : first + left.size]
    for k in range(6):
        by_twist = rows[k + 1][first : first + left.size]
        for p in range(left.size):
            left[p] += twist[k] * by_twist[p]
    for p in range(left.size):
        share = square / (square + left[p] * left[p])
        weight[p] = share * share


# only the order of the sum is the compiler's, so that it uses vector instructions
@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _sum_of(weight, a, b):
    total = 0.0
    for p in range(weight.size):
        total += weight[p] * a[p] * b[p]
    return total
