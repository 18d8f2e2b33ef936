"""The inner loops of bringing a sensor's surface into a camera: projected, drawn, nearest first."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import plain, project_point

NOTHING = np.float32(np.inf)
ZERO = np.float32(0.0)
UNKNOWN = -1
ROOM = np.float32(1e-3)  # px: what lies on the line between two triangles belongs to both


@njit(nogil=True, error_model="numpy")
def _project_row(depth, rx, ry, t, lens, u, v, w):
    """Pixel (u, v) and depth w in the camera of one row of the sensor; w is NaN without a return.

    In float32 and without branches, so that the compiler uses vector instructions.
    """
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
            d = depth[n]
            x = (t0 * rx[n] + t1 * ry[n] + t2) * d + t3
            y = (t4 * rx[n] + t5 * ry[n] + t6) * d + t7
            w[n] = (t8 * rx[n] + t9 * ry[n] + t10) * d + t11
            u[n], v[n] = project_point(x, y, w[n], lens)
        return
    for n in range(depth.size):
        d = depth[n]
        x = (t0 * rx[n] + t1 * ry[n] + t2) * d + t3
        y = (t4 * rx[n] + t5 * ry[n] + t6) * d + t7
        z = (t8 * rx[n] + t9 * ry[n] + t10) * d + t11
        a = x / z
        b = y / z
        r2 = a * a + b * b
        radial = one + r2 * (k1 + r2 * (k2 + r2 * k3))
        ab = two * a * b
        u[n] = fx * (a * radial + p1 * ab + p2 * (r2 + two * a * a)) + cx
        v[n] = fy * (b * radial + p1 * (r2 + two * b * b) + p2 * ab) + cy
        w[n] = z


@njit(inline="always")
def _draw(ua, va, wa, ub, vb, wb, uc, vc, wc, lo, hi, at, nearest, source):
    """One triangle into rows [lo, hi), where it is nearer than what is there; `at`: its number,
    UNKNOWN where it is seen from behind."""
    left = min(ua, ub, uc)
    top = min(va, vb, vc)
    i0 = int(np.ceil(max(left - ROOM, ZERO)))
    j0 = int(np.ceil(max(top - ROOM, np.float32(lo))))
    i1 = int(min(max(ua, ub, uc) + ROOM, np.float32(nearest.shape[1] - 1)))
    j1 = int(min(max(va, vb, vc) + ROOM, np.float32(hi - 1)))
    if i1 < i0 or j1 < j0:
        return
    area = (ub - ua) * (vc - va) - (uc - ua) * (vb - va)
    if area == ZERO:
        return
    share = np.float32(1.0) / area
    number = at if area > ZERO else UNKNOWN
    for j in range(j0, j1 + 1):
        for i in range(i0, i1 + 1):
            p = np.float32(i) - ua
            q = np.float32(j) - va
            b = (p * (vc - va) - (uc - ua) * q) * share
            c = ((ub - ua) * q - p * (vb - va)) * share
            if b < -ROOM or c < -ROOM or b + c > np.float32(1.0) + ROOM:
                continue
            w = wa + b * (wb - wa) + c * (wc - wa)
            if w < nearest[j, i]:
                nearest[j, i] = w
                source[j, i] = number


@njit(cache=True, nogil=True, error_model="numpy")
def draw_surface(rows, depth, rx, ry, t, lens, step, nearest, source):
    """Draw what a sensor measured into rows [lo, hi) of a camera's picture, nearest first.

    depth, rx, ry (h, w) float32 of the sensor, NaN without a return; t: camera_from_sensor, three
    rows as one tuple; lens of the camera. Four neighbours whose depths differ by no more than
    `step` of their depth are one surface. Between others hangs the edge of what the sensor could
    not see: whatever the camera meets behind it is UNKNOWN, and so is surface seen from behind.
    nearest (H, W) float32, infinite at first: z in the camera. source (H, W) int32, UNKNOWN at
    first: number of the sensor's pixel.
    """
    height, width = depth.shape
    lo, hi = rows[0], rows[1]
    u = np.empty((2, width), np.float32)
    v = np.empty((2, width), np.float32)
    w = np.empty((2, width), np.float32)
    _project_row(depth[0], rx[0], ry[0], t, lens, u[0], v[0], w[0])
    for y in range(height - 1):
        a, b = y & 1, (y + 1) & 1
        _project_row(depth[y + 1], rx[y + 1], ry[y + 1], t, lens, u[b], v[b], w[b])
        for x in range(width - 1):
            w0, w1, w2, w3 = w[a, x], w[a, x + 1], w[b, x], w[b, x + 1]
            # a NaN, and what lies behind the camera, compare as false
            if not (w0 > ZERO and w1 > ZERO and w2 > ZERO and w3 > ZERO):
                continue
            v0, v1, v2, v3 = v[a, x], v[a, x + 1], v[b, x], v[b, x + 1]
            if max(v0, v1, v2, v3) < np.float32(lo) or min(v0, v1, v2, v3) > np.float32(hi):
                continue
            u0, u1, u2, u3 = u[a, x], u[a, x + 1], u[b, x], u[b, x + 1]
            at = y * width + x
            d0, most = depth[y, x], step * depth[y, x]
            if not (
                abs(depth[y, x + 1] - d0) <= most
                and abs(depth[y + 1, x] - d0) <= most
                and abs(depth[y + 1, x + 1] - d0) <= most
            ):
                at = UNKNOWN
            _draw(u0, v0, w0, u1, v1, w1, u2, v2, w2, lo, hi, at, nearest, source)
            _draw(u3, v3, w3, u2, v2, w2, u1, v1, w1, lo, hi, at, nearest, source)


@njit(cache=True, nogil=True, error_model="numpy")
def seen_surface(rows, nearest, source, rim_px, edge_mm, depth, shown):
    """Rows [lo, hi) of depth (H, W) and shown (H, W) int32: what the camera sees,
    NaN and UNKNOWN where that is not known, and where nearer surface ends beside it."""
    height, width = nearest.shape
    for j in range(rows[0], rows[1]):
        for i in range(width):
            depth[j, i] = np.float32(np.nan)
            shown[j, i] = UNKNOWN
            if source[j, i] < 0:
                continue
            least = nearest[j, i]
            for b in range(max(j - rim_px, 0), min(j + rim_px + 1, height)):
                for a in range(max(i - rim_px, 0), min(i + rim_px + 1, width)):
                    least = min(least, nearest[b, a])
            if nearest[j, i] - least <= edge_mm:
                depth[j, i] = nearest[j, i]
                shown[j, i] = source[j, i]
