"""Small planes fitted to a depth map: 1/z is linear in the ray on a plane, so the fit is linear."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

RADIUS_PX = 2  # a 5 x 5 window: noise shrinks fivefold, fillets of a few mm keep their shape
SAME_SURFACE_MM = 4.0  # a larger step in depth within the window is another surface
MIN_POINTS = 8  # of 25: on an edge a third of the window must be the same surface


@njit(cache=True, nogil=True, error_model="numpy")
def fit_planes(depth, on_part, rx, ry, plane):
    """Write (n, d) of the plane through every pixel of the part, golden camera frame, mm.

    depth (h, w) float32 with NaN, on_part (h, w) bool, plane (h, w, 4) float32 of zeros.
    """
    height, width = depth.shape
    for y in range(RADIUS_PX, height - RADIUS_PX):
        for x in range(RADIUS_PX, width - RADIUS_PX):
            if on_part[y, x]:
                fit_plane(depth, y, x, rx, ry, plane[y, x])


@njit(nogil=True, error_model="numpy")
def fit_plane(depth, y, x, rx, ry, plane):
    """Write (n, d) of the plane through one pixel that has a window around it into plane (4,);
    returns whether there is one."""
    z = depth[y, x]
    inverse = 1.0 / z
    x0 = rx[y, x]
    y0 = ry[y, x]
    n = 0.0
    sa = sb = sw = saa = sab = sbb = saw = sbw = 0.0
    for j in range(y - RADIUS_PX, y + RADIUS_PX + 1):
        for i in range(x - RADIUS_PX, x + RADIUS_PX + 1):
            q = depth[j, i]
            if not abs(q - z) <= SAME_SURFACE_MM:  # also skips NaN
                continue
            a = float(rx[j, i] - x0)
            b = float(ry[j, i] - y0)
            w = 1.0 / q - inverse
            n += 1.0
            sa += a
            sb += b
            sw += w
            saa += a * a
            sab += a * b
            sbb += b * b
            saw += a * w
            sbw += b * w
    if n < MIN_POINTS:
        return False
    saa -= sa * sa / n
    sab -= sa * sb / n
    sbb -= sb * sb / n
    saw -= sa * sw / n
    sbw -= sb * sw / n
    determinant = saa * sbb - sab * sab
    if determinant <= 1e-3 * saa * sbb:  # the window's points lie on a line
        return False
    ga = (sbb * saw - sab * sbw) / determinant
    gb = (saa * sbw - sab * saw) / determinant
    at_centre = inverse + (sw - ga * sa - gb * sb) / n
    gc = at_centre - ga * x0 - gb * y0
    length = np.sqrt(ga * ga + gb * gb + gc * gc)
    plane[0] = -ga / length
    plane[1] = -gb / length
    plane[2] = -gc / length
    plane[3] = -1.0 / length
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def measure_roughness(plane, rx, ry, rough):
    """Write how far, mm, the planes of the pixels around lie off each pixel's own plane.

    plane (h, w, 4), rough (h, w) float32, infinite, and left so beside what has no plane.
    """
    height, width = rough.shape
    for y in range(RADIUS_PX, height - RADIUS_PX):
        for x in range(RADIUS_PX, width - RADIUS_PX):
            most = 0.0 if plane[y, x, 2] != 0.0 else np.inf
            for j in range(y - RADIUS_PX, y + RADIUS_PX + 1):
                for i in range(x - RADIUS_PX, x + RADIUS_PX + 1):
                    if most < np.inf:
                        most = max(most, _off(plane, y, x, j, i, rx, ry))
            rough[y, x] = most


@njit(inline="always")
def _off(plane, y, x, j, i, rx, ry):
    """How far the point of pixel (j, i) on its own plane lies off the plane of (y, x)."""
    a, b = rx[j, i], ry[j, i]
    facing = plane[j, i, 0] * a + plane[j, i, 1] * b + plane[j, i, 2]
    if facing == 0.0:
        return np.inf
    z = plane[j, i, 3] / facing
    return abs(z * (plane[y, x, 0] * a + plane[y, x, 1] * b + plane[y, x, 2]) - plane[y, x, 3])
