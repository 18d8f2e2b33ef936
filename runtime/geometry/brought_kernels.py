"""The inner loops of bringing a sensor's surface into a camera: projected, drawn, nearest first."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import plain, project_point

NOTHING = np.float32(np.inf)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
UNKNOWN = -1
ROOM = np.float32(1e-3)  # px: what lies on the line between two triangles belongs to both
FAR = np.float32(1e6)


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


@njit(nogil=True, error_model="numpy")
def _round_up(place, pixels):
    """The first pixel at or after each place of a row; of what lies beside every picture, any."""
    for n in range(place.size):
        pixels[n] = np.int32(np.ceil(min(max(place[n], -FAR), FAR)))


@njit(inline="always")
def _draw(u0, v0, w0, u1, v1, w1, u2, v2, w2, box, number, nearest, source):
    """One triangle into a box of pixels, where it is nearer than what is there.

    number: UNKNOWN, or of the pixel whose surface it is: that too is UNKNOWN from behind.
    """
    ab, ac, ad, ae = u1 - u0, v1 - v0, u2 - u0, v2 - v0
    area = ab * ae - ad * ac
    share = ONE / area
    by_b, by_c = w1 - w0, w2 - w0
    for j in range(box[0], box[1]):
        q = np.float32(j) - v0
        for i in range(box[2], box[3]):
            p = np.float32(i) - u0
            b = (p * ae - ad * q) * share
            c = (ab * q - p * ac) * share
            # an area of 0 gives no number, which compares as false
            if b >= -ROOM and c >= -ROOM and b + c <= ONE + ROOM:
                z = w0 + b * by_b + c * by_c
                row, column = np.uint64(j), np.uint64(i)  # no index is looked at from the end
                if z < nearest[row, column]:
                    nearest[row, column] = z
                    source[row, column] = number if area > ZERO else UNKNOWN


@njit(inline="always")
def _draw_both(u0, v0, w0, u1, v1, w1, u2, v2, w2, u3, v3, w3, box, number, nearest, source):
    """Two triangles (0, 1, 2) and (3, 2, 1) as `_draw`, each pixel on its side of what they share:
    half the work. False, and nothing is drawn, where they fold over each other.
    """
    ab, ac, ad, ae = u1 - u0, v1 - v0, u2 - u0, v2 - v0
    bb, bc, bd, be = u2 - u3, v2 - v3, u1 - u3, v1 - v3
    area, beyond = ab * ae - ad * ac, bb * be - bd * bc
    if not area * beyond > ZERO:
        return False
    share = ONE / area
    ab, ac, ad, ae = ab * share, ac * share, ad * share, ae * share
    share = ONE / beyond
    bb, bc, bd, be = bb * share, bc * share, bd * share, be * share
    seen = number if area > ZERO else UNKNOWN
    for j in range(box[0], box[1]):
        q, r = np.float32(j) - v0, np.float32(j) - v3
        for i in range(box[2], box[3]):
            p = np.float32(i) - u0
            b, c = p * ae - ad * q, ab * q - p * ac
            if b + c <= ONE:
                z = w0 + b * (w1 - w0) + c * (w2 - w0)
            else:
                p = np.float32(i) - u3
                b, c = p * be - bd * r, bb * r - p * bc
                z = w3 + b * (w2 - w3) + c * (w1 - w3)
            if b >= -ROOM and c >= -ROOM:
                row, column = np.uint64(j), np.uint64(i)  # no index is looked at from the end
                if z < nearest[row, column]:
                    nearest[row, column] = z
                    source[row, column] = seen
    return True


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
    lo, hi, columns = rows[0], rows[1], nearest.shape[1]
    u = np.empty((2, width), np.float32)
    v = np.empty((2, width), np.float32)
    w = np.empty((2, width), np.float32)
    i = np.empty((2, width), np.int32)
    j = np.empty((2, width), np.int32)
    _project_row(depth[0], rx[0], ry[0], t, lens, u[0], v[0], w[0])
    _round_up(u[0], i[0])
    _round_up(v[0], j[0])
    for y in range(height - 1):
        a, b = y & 1, (y + 1) & 1
        _project_row(depth[y + 1], rx[y + 1], ry[y + 1], t, lens, u[b], v[b], w[b])
        _round_up(u[b], i[b])
        _round_up(v[b], j[b])
        for x in range(width - 1):
            w0, w1, w2, w3 = w[a, x], w[a, x + 1], w[b, x], w[b, x + 1]
            # a NaN, and what lies behind the camera, compare as false
            if not (w0 > ZERO and w1 > ZERO and w2 > ZERO and w3 > ZERO):
                continue
            top = max(min(min(j[a, x], j[a, x + 1]), min(j[b, x], j[b, x + 1])), lo)
            bottom = min(max(max(j[a, x], j[a, x + 1]), max(j[b, x], j[b, x + 1])), hi)
            left = max(min(min(i[a, x], i[a, x + 1]), min(i[b, x], i[b, x + 1])), 0)
            right = min(max(max(i[a, x], i[a, x + 1]), max(i[b, x], i[b, x + 1])), columns)
            if top >= bottom or left >= right:
                continue
            at = y * width + x
            d0, most = depth[y, x], step * depth[y, x]
            if not (
                abs(depth[y, x + 1] - d0) <= most
                and abs(depth[y + 1, x] - d0) <= most
                and abs(depth[y + 1, x + 1] - d0) <= most
            ):
                at = UNKNOWN
            u0, v0, u1, v1 = u[a, x], v[a, x], u[a, x + 1], v[a, x + 1]
            u2, v2, u3, v3 = u[b, x], v[b, x], u[b, x + 1], v[b, x + 1]
            box = (top, bottom, left, right)
            if not _draw_both(
                u0, v0, w0, u1, v1, w1, u2, v2, w2, u3, v3, w3, box, at, nearest, source
            ):
                _draw(u0, v0, w0, u1, v1, w1, u2, v2, w2, box, at, nearest, source)
                _draw(u3, v3, w3, u2, v2, w2, u1, v1, w1, box, at, nearest, source)


@njit(nogil=True, error_model="numpy")
def _nearest_around(above, here, below, least):
    """Of three rows, column by column; without branches, for vector instructions."""
    for i in range(here.size):
        least[i] = min(min(above[i], here[i]), below[i])


@njit(cache=True, nogil=True, error_model="numpy")
def seen_surface(rows, nearest, source, edge_mm, depth, shown):
    """Rows [lo, hi) of depth (H, W) and shown (H, W) int32: what the camera sees, NaN and UNKNOWN
    where that is not known, and where nearer surface ends in a pixel beside it."""
    height, width = nearest.shape
    least = np.empty(width, np.float32)
    for j in range(rows[0], rows[1]):
        _nearest_around(nearest[max(j - 1, 0)], nearest[j], nearest[min(j + 1, height - 1)], least)
        for i in range(width):
            known = source[j, i] >= 0
            beside = min(min(least[max(i - 1, 0)], least[i]), least[min(i + 1, width - 1)])
            known = known and nearest[j, i] - beside <= edge_mm
            depth[j, i] = nearest[j, i] if known else np.float32(np.nan)
            shown[j, i] = source[j, i] if known else UNKNOWN
