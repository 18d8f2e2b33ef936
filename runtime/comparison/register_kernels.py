"""The inner loops of registration: golden view into test view, and measured against expected."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point

# A deviation within the sensor's noise (three sigma) is believed at once. A larger one is looked
# for again within a pixel around, and in the other golden views: at depth edges and where this
# view looks past an edge, the surface that explains the point is the neighbour's.
BELIEVED_MM = 0.15
TABLE_BEHIND_MM = 1.0  # table this far behind the golden surface asks where the part has gone
LOW_MM = 3.0  # what stands less than this above the golden table is held against the table
HIDDEN_MM = 2.0  # a point this far behind what another view saw is hidden from it, nothing more
SAME_DEPTH_MM = 2.0  # moves a point by less than a hundredth of a pixel
# kinds of pixels
LOST = 1  # the golden scan had a return, this view has none
GONE = 2  # another surface is seen, far behind the expected one
SHOWN = 3  # neither had a return; both have pictures


@njit(inline="always")
def _distance(plane, j, i, x, y, z):
    """Signed distance of a point to the plane of one golden pixel; infinite where there is none."""
    nz = plane[j, i, 2]
    if nz == 0.0:
        return np.inf
    return plane[j, i, 0] * x + plane[j, i, 1] * y + nz * z - plane[j, i, 3]


@njit(inline="always")
def _nearest(plane, j, i, x, y, z, best):
    """The smallest distance, by magnitude, within a pixel around (i, j), or `best`."""
    height, width = plane.shape[0], plane.shape[1]
    for b in range(max(j - 1, 0), min(j + 2, height)):
        for a in range(max(i - 1, 0), min(i + 2, width)):
            distance = _distance(plane, b, a, x, y, z)
            if abs(distance) < abs(best):
                best = distance
    return best


@njit(inline="always")
def _above_table(j, i, x, y, z, rx, ry, golden_up, table_z, golden_depth):
    """How far a point of the golden camera stands above the table that golden pixel (i, j) shows;
    infinite where it shows none."""
    d = golden_depth[j, i]
    table = d * (golden_up[0] * rx[j, i] + golden_up[1] * ry[j, i] + golden_up[2]) + golden_up[3]
    if not table < table_z:
        return np.inf
    up = golden_up[0] * x + golden_up[1] * y + golden_up[2] * z + golden_up[3]
    return abs(up - table)


@njit(inline="always")
def _sample(image, u, v):
    """Bilinear grey value; u, v inside the picture up to half a pixel."""
    height, width = image.shape
    u = min(max(u, 0.0), width - 1.001)
    v = min(max(v, 0.0), height - 1.001)
    i = int(u)
    j = int(v)
    a = u - i
    b = v - j
    top = (1.0 - a) * image[j, i] + a * image[j, i + 1]
    bottom = (1.0 - a) * image[j + 1, i] + a * image[j + 1, i + 1]
    return np.uint8((1.0 - b) * top + b * bottom + 0.5)


@njit(inline="always")
def _map(t, rx, ry, d, lens):
    """Point (x, y, z) and pixel (u, v) in the golden camera of a ray at depth d; z > 0."""
    a = rx * d
    b = ry * d
    x = t[0] * a + t[1] * b + t[2] * d + t[3]
    y = t[4] * a + t[5] * b + t[6] * d + t[7]
    z = t[8] * a + t[9] * b + t[10] * d + t[11]
    u, v = project_point(x, y, z, lens)
    return x, y, z, u, v


@njit(inline="always")
def _inside(u, v, width, height):
    return u > -0.5 and v > -0.5 and u < width - 0.5 and v < height - 0.5


@njit(inline="always")
def _expected_pixel(x, y, rx, ry, lens, part_t, table_t, golden_up, table_z, golden_depth):
    """Where the ray of (x, y) meets the golden surface: pixel (u, v), maybe outside.

    The golden picture is shifted by a few pixels against this one: where another surface lies
    there, the depth is looked up a second time.
    """
    height, width = golden_depth.shape
    i = x
    j = y
    d = golden_depth[y, x]
    while True:
        up = d * (golden_up[0] * rx[j, i] + golden_up[1] * ry[j, i] + golden_up[2]) + golden_up[3]
        t = part_t if up >= table_z else table_t
        _, _, _, u, v = _map(t, rx[y, x], ry[y, x], d, lens)
        if not _inside(u, v, width, height) or not (i == x and j == y):
            return u, v
        i = int(u + 0.5)
        j = int(v + 0.5)
        if (i == x and j == y) or abs(golden_depth[j, i] - d) < SAME_DEPTH_MM:
            return u, v
        d = golden_depth[j, i]


@njit(nogil=True, error_model="numpy")
def _map_row(depth, rx, ry, t, lens, up, table_z, on_part, px, py, pz, u, v):
    """What `_map` does, for the measured pixels of one row, in float32 and without branches, so
    that the compiler uses vector instructions; 1e-4 mm and 1e-4 px are lost. on_part: whether a
    pixel was measured on the part; the other arrays hold nothing of use elsewhere."""
    t0, t1, t2, t3 = np.float32(t[0]), np.float32(t[1]), np.float32(t[2]), np.float32(t[3])
    t4, t5, t6, t7 = np.float32(t[4]), np.float32(t[5]), np.float32(t[6]), np.float32(t[7])
    t8, t9, t10, t11 = np.float32(t[8]), np.float32(t[9]), np.float32(t[10]), np.float32(t[11])
    fx, fy, cx, cy = (
        np.float32(lens[0]),
        np.float32(lens[1]),
        np.float32(lens[2]),
        np.float32(lens[3]),
    )
    k1, k2, k3 = np.float32(lens[4]), np.float32(lens[5]), np.float32(lens[8])
    p1, p2 = np.float32(lens[6]), np.float32(lens[7])
    up0, up1, up2, up3 = np.float32(up[0]), np.float32(up[1]), np.float32(up[2]), np.float32(up[3])
    table = np.float32(table_z)
    one, two, zero = np.float32(1.0), np.float32(2.0), np.float32(0.0)
    for n in range(depth.size):
        d = depth[n]
        a = rx[n] * d
        b = ry[n] * d
        on_part[n] = (d > zero) & (up0 * a + up1 * b + up2 * d + up3 >= table)
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


@njit(cache=True, nogil=True, error_model="numpy")
def compare_view(
    rows,
    depth,
    rx,
    ry,
    lens,
    part_t,
    table_t,
    part_up,
    golden_up,
    table_z,
    golden_image,
    golden_gloss,
    golden_depth,
    plane,
    measured,
    shown,
    near_part,
    steady,
    rough,
    spreads,
    steady_mm,
    vanished_mm,
    reference,
    gloss,
    deviation,
    same_view,
    pixel,
    kind,
    roughness,
    spread,
    doubtful,
):
    """Compare rows [lo, hi); returns how many numbers of measured pixels on the part went to the
    front of those rows of `doubtful`: the ones without a believable deviation.

    part_t, table_t: golden_from_test, three rows as one tuple, for the part, which moved, and the
    table, which did not. part_up, golden_up: z in the part frame of a point of the test / golden
    camera, as tuples; tuples, because numbers of an array would be read again for every pixel.
    steady: golden pixels without an edge near them (see plane_kernels): a small deviation there
    is the surface's own, and nothing explains it away.
    Written where there is something to say: reference and gloss (uint8), deviation (mm),
    roughness and spread (mm, of the golden surface there), kind; and under a kind, pixel (golden
    pixel number) and same_view: the deviation, or how far behind the part a piece of table lies
    that is seen where the part should be.
    """
    height, width = depth.shape
    doubts = 0
    first = rows[0] * width
    on_part = np.empty(width, np.bool_)
    row = np.empty((5, width), np.float32)
    for y in range(rows[0], rows[1]):
        _map_row(
            depth[y],
            rx[y],
            ry[y],
            part_t,
            lens,
            part_up,
            table_z,
            on_part,
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
        )
        for x in range(width):
            if on_part[x]:
                u = row[3, x]
                v = row[4, x]
                if not _inside(u, v, width, height):
                    doubtful[first + doubts] = y * width + x
                    doubts += 1
                    continue
                px = row[0, x]
                py = row[1, x]
                pz = row[2, x]
                reference[y, x] = _sample(golden_image, u, v)
                gloss[y, x] = golden_gloss[int(v + 0.5), int(u + 0.5)]
            else:
                # no return, or the table where the part may have been
                if near_part[y, x] == 0:
                    continue
                d = depth[y, x]
                if d > 0.0 and not (measured[y, x] and d > golden_depth[y, x] + TABLE_BEHIND_MM):
                    continue
                u, v = _expected_pixel(
                    x, y, rx, ry, lens, part_t, table_t, golden_up, table_z, golden_depth
                )
                if not _inside(u, v, width, height):
                    continue
                i = int(u + 0.5)
                j = int(v + 0.5)
                if not (measured[j, i] or (shown[j, i] and not d > 0.0)):
                    continue
                reference[y, x] = _sample(golden_image, u, v)
                gloss[y, x] = golden_gloss[j, i]
                if not d > 0.0:
                    pixel[y, x] = j * width + i
                    kind[y, x] = LOST if measured[j, i] else SHOWN
                    continue
                px, py, pz, _, _ = _map(part_t, rx[y, x], ry[y, x], d, lens)
            i = int(u + 0.5)
            j = int(v + 0.5)
            distance = _distance(plane, j, i, px, py, pz)
            doubted = not abs(distance) <= (steady_mm if steady[j, i] else BELIEVED_MM)
            if doubted:
                distance = _nearest(plane, j, i, px, py, pz, distance)
            if on_part[x] and abs(distance) > BELIEVED_MM:
                above = _above_table(j, i, px, py, pz, rx, ry, golden_up, table_z, golden_depth)
                if above < LOW_MM and above < abs(distance):
                    distance = above
            if np.isfinite(distance):
                if on_part[x]:
                    deviation[y, x] = distance
                    roughness[y, x] = rough[j, i]
                    spread[y, x] = spreads[j, i]
                if distance < -vanished_mm and measured[j, i]:
                    kind[y, x] = GONE
                    pixel[y, x] = j * width + i
                    same_view[y, x] = distance
            if on_part[x] and doubted and not abs(distance) <= BELIEVED_MM:
                doubtful[first + doubts] = y * width + x
                doubts += 1
    return doubts


@njit(cache=True, nogil=True, error_model="numpy")
def explain_elsewhere(span, chosen, depth, rx, ry, t, lens, plane, deviation):
    """Lower the deviation of chosen pixels (flat numbers) that another golden view explains.

    t (4, 4) other_golden_from_test; depth, rx, ry, deviation are flat.
    """
    height, width = plane.shape[0], plane.shape[1]
    for n in range(span[0], span[1]):
        p = chosen[n]
        best = deviation[p]
        if abs(best) <= BELIEVED_MM:
            continue
        x, y, z, u, v = _map(t, rx[p], ry[p], depth[p], lens)
        if z > 0.0 and _inside(u, v, width, height):
            j = int(v + 0.5)
            i = int(u + 0.5)
            there = _distance(plane, j, i, x, y, z)
            if abs(there) > BELIEVED_MM:
                there = _nearest(plane, j, i, x, y, z, np.inf)
            if np.isfinite(there) and there > -HIDDEN_MM and not abs(there) >= abs(best):
                deviation[p] = there
