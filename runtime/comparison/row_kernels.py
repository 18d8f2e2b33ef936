"""A row of a measured view: which of it is the part, and where it lies in the golden camera."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import plain, project_point


@njit(inline="always")
def map_point(t, rx, ry, d, lens):
    """Point (x, y, z) and pixel (u, v) in the golden camera of a ray at depth d; z > 0."""
    a = rx * d
    b = ry * d
    x = t[0] * a + t[1] * b + t[2] * d + t[3]
    y = t[4] * a + t[5] * b + t[6] * d + t[7]
    z = t[8] * a + t[9] * b + t[10] * d + t[11]
    u, v = project_point(x, y, z, lens)
    return x, y, z, u, v


@njit(nogil=True, error_model="numpy")
def find_part(depth, rx, ry, up, table_z, on_part):
    """Which pixels of one row were measured on the part; float32 and without branches, so that the
    compiler uses vector instructions."""
    up0, up1, up2, up3 = np.float32(up[0]), np.float32(up[1]), np.float32(up[2]), np.float32(up[3])
    table, zero = np.float32(table_z), np.float32(0.0)
    for n in range(depth.size):
        d = depth[n]
        on_part[n] = (d > zero) & (up0 * (rx[n] * d) + up1 * (ry[n] * d) + up2 * d + up3 >= table)


@njit(nogil=True, error_model="numpy")
def map_row(depth, rx, ry, t, lens, px, py, pz, u, v):
    """What `map_point` does, for the measured pixels of a piece of a row, in float32 and without
    branches; 1e-4 mm and 1e-4 px are lost. The arrays hold nothing of use off the part."""
    t0, t1, t2, t3 = np.float32(t[0]), np.float32(t[1]), np.float32(t[2]), np.float32(t[3])
    t4, t5, t6, t7 = np.float32(t[4]), np.float32(t[5]), np.float32(t[6]), np.float32(t[7])
    t8, t9, t10, t11 = np.float32(t[8]), np.float32(t[9]), np.float32(t[10]), np.float32(t[11])
    fx, fy = np.float32(lens[0]), np.float32(lens[1])
    cx, cy = np.float32(lens[2]), np.float32(lens[3])
    k1, k2, k3 = np.float32(lens[4]), np.float32(lens[5]), np.float32(lens[8])
    p1, p2 = np.float32(lens[6]), np.float32(lens[7])
    one, two = np.float32(1.0), np.float32(2.0)
    if not plain(lens):
        for n in range(depth.size):
            x, y, z, at_u, at_v = map_point(t, rx[n], ry[n], depth[n], lens)
            px[n], py[n], pz[n], u[n], v[n] = x, y, z, at_u, at_v
        return
    for n in range(depth.size):
        d = depth[n]
        a = rx[n] * d
        b = ry[n] * d
        x = t0 * a + t1 * b + t2 * d + t3
        y = t4 * a + t5 * b + t6 * d + t7
        z = t8 * a + t9 * b + t10 * d + t11
        px[n] = x
        py[n] = y
        pz[n] = z
        a = x / z
        b = y / z
        r2 = a * a + b * b
        radial = one + r2 * (k1 + r2 * (k2 + r2 * k3))
        ab = two * a * b
        u[n] = fx * (a * radial + p1 * ab + p2 * (r2 + two * a * a)) + cx
        v[n] = fy * (b * radial + p1 * (r2 + two * b * b) + p2 * ab) + cy
