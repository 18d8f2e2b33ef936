"""The inner loops of registration: golden view into test view, and measured against expected."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.comparison.expected import (
    MEASURED,
    NEAR,
    RETURNED,
    SHOWN,
    SPREAD_UNIT_MM,
    STEADY,
)
from voxgate.runtime.comparison.point_kernels import (
    FAR,
    distance_to,
    edge_on,
    held_to_samples,
    nearest_distance,
    surely_hidden,
)
from voxgate.runtime.comparison.row_kernels import find_part, map_point, map_row

# A deviation within the sensor's noise (three sigma) is believed at once. A larger one is looked
# for again within a pixel around, and in the other golden views: at depth edges and where this
# view looks past an edge, the surface that explains the point is the neighbour's.
BELIEVED_MM = 0.15
TABLE_BEHIND_MM = 1.0  # table this far behind the golden surface asks where the part has gone
LOW_MM = 3.0  # what stands less than this above the golden table is held against the table
HIDDEN_MM = 2.0  # a point this far behind what another view saw is hidden from it, nothing more
SAME_DEPTH_MM = 2.0  # moves a point by less than a hundredth of a pixel
SPREAD_MM = np.float32(SPREAD_UNIT_MM)
# kinds of pixels
LOST = 1  # the golden scan had a return, this view has none
GONE = 2  # another surface is seen, far behind the expected one
UNMEASURED = 3  # neither had a return; both have pictures
NOT_FREE = np.float32(0.0)
NOWHERE = np.float32(-2.0)  # of a pixel's place in the golden picture: it is compared with none


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
    one = np.uint64(1)
    i = np.uint64(np.int64(u))
    j = np.uint64(np.int64(v))
    a = u - np.int64(i)
    b = v - np.int64(j)
    top = (1.0 - a) * image[j, i] + a * image[j, i + one]
    bottom = (1.0 - a) * image[j + one, i] + a * image[j + one, i + one]
    return np.uint8((1.0 - b) * top + b * bottom + 0.5)


@njit(inline="always")
def _pixel(u):
    """The pixel's number along one axis; without a sign, no index is looked at from the end."""
    return np.uint64(np.int64(u + 0.5))


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
    i = np.uint64(x)
    j = np.uint64(y)
    d = golden_depth[y, x]
    while True:
        up = d * (golden_up[0] * rx[j, i] + golden_up[1] * ry[j, i] + golden_up[2]) + golden_up[3]
        t = part_t if up >= table_z else table_t
        _, _, _, u, v = map_point(t, rx[y, x], ry[y, x], d, lens)
        if not _inside(u, v, width, height) or not (i == x and j == y):
            return u, v
        i = _pixel(u)
        j = _pixel(v)
        if (i == x and j == y) or abs(golden_depth[j, i] - d) < SAME_DEPTH_MM:
            return u, v
        d = golden_depth[j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def compare_view(
    rows,
    image,
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
    known,
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
    bounds,
    doubtful,
    sampled,
):
    """Compare rows [lo, hi); returns how many numbers of measured pixels on the part went to the
    front of those rows of `doubtful`: the ones without a believable deviation.

    part_t, table_t: golden_from_test, three rows as one tuple, for the part, which moved, and the
    table, which did not. part_up, golden_up: z in the part frame of a point of the test / golden
    camera, as tuples; tuples, because numbers of an array would be read again for every pixel.
    known: what is known of the golden pixels, as bits (see ExpectedView): a small deviation where
    it is STEADY is the surface's own, and nothing explains it away. spreads: in SPREAD_UNIT_MM.
    Written: reference and gloss (uint8; the image itself and 0 where there is nothing to compare
    with), deviation (mm, else NaN), roughness and spread (mm, of the golden surface there, else
    infinite and 0), kind or 0; and under a kind, pixel (golden pixel number) and same_view: the
    deviation, or how far behind the part a piece of table lies that is seen where the part should
    be. bounds (h, 2): of every row the columns [first, end) outside of which nothing is found.
    sampled (h, w, 2) float32: where in the golden picture reference was taken, (u, v), or NOWHERE;
    without a row where nobody asks.
    """
    height, width = depth.shape
    flat_x, flat_y, focal = rx.reshape(-1), ry.reshape(-1), np.float32(lens[0])
    doubts = 0
    first = rows[0] * width
    on_part = np.empty(width, np.bool_)
    row = np.empty((5, width), np.float32)
    telling = sampled.shape[0] > 0
    for y in range(rows[0], rows[1]):
        reference[y] = image[y]
        gloss[y] = 0
        deviation[y] = np.float32(np.nan)
        roughness[y] = np.float32(np.inf)
        spread[y] = np.float32(0.0)
        kind[y] = 0
        if telling:
            sampled[y] = NOWHERE
        find_part(depth[y], rx[y], ry[y], part_up, table_z, on_part)
        lo = 0
        while lo < width and not (on_part[lo] or known[y, lo] & NEAR):
            lo += 1
        hi = width
        while hi > lo and not (on_part[hi - 1] or known[y, hi - 1] & NEAR):
            hi -= 1
        bounds[y, 0] = lo
        bounds[y, 1] = hi
        map_row(
            depth[y, lo:hi],
            rx[y, lo:hi],
            ry[y, lo:hi],
            part_t,
            lens,
            row[0, lo:hi],
            row[1, lo:hi],
            row[2, lo:hi],
            row[3, lo:hi],
            row[4, lo:hi],
        )
        for x in range(lo, hi):
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
                gloss[y, x] = golden_gloss[_pixel(v), _pixel(u)]
                if telling:
                    sampled[y, x, 0] = u
                    sampled[y, x, 1] = v
            else:
                # no return, or the table where the part may have been
                own = known[y, x]
                if own & NEAR == 0:
                    continue
                d = depth[y, x]
                if d > 0.0 and not (own & MEASURED and d > golden_depth[y, x] + TABLE_BEHIND_MM):
                    continue
                there_u, there_v = _expected_pixel(
                    x, y, rx, ry, lens, part_t, table_t, golden_up, table_z, golden_depth
                )
                u, v = np.float32(there_u), np.float32(there_v)
                if not _inside(u, v, width, height):
                    continue
                j, i = _pixel(v), _pixel(u)
                there = known[j, i]
                if not (there & MEASURED or (there & SHOWN and not d > 0.0)):
                    continue
                reference[y, x] = _sample(golden_image, u, v)
                gloss[y, x] = golden_gloss[j, i]
                if telling:
                    sampled[y, x, 0] = u
                    sampled[y, x, 1] = v
                if not d > 0.0:
                    pixel[y, x] = j * width + i
                    kind[y, x] = LOST if there & MEASURED else UNMEASURED
                    continue
                at_x, at_y, at_z, _, _ = map_point(part_t, rx[y, x], ry[y, x], d, lens)
                px, py, pz = np.float32(at_x), np.float32(at_y), np.float32(at_z)
            j, i = _pixel(v), _pixel(u)
            distance = distance_to(plane, j, i, px, py, pz)
            doubted = not abs(distance) <= (steady_mm if known[j, i] & STEADY else BELIEVED_MM)
            if doubted:
                distance = nearest_distance(plane, j, i, px, py, pz, distance)
                lucky = distance
                distance = held_to_samples(
                    lucky, plane, golden_depth, flat_x, flat_y, focal, j, i, px, py, pz
                )
                if distance < -vanished_mm <= lucky:  # an edge's flicker: nothing has gone
                    distance = np.float32(-vanished_mm)
            if on_part[x] and abs(distance) > BELIEVED_MM:
                above = _above_table(j, i, px, py, pz, rx, ry, golden_up, table_z, golden_depth)
                if above < LOW_MM and above < abs(distance):
                    distance = above
            if np.isfinite(distance):
                if on_part[x]:
                    deviation[y, x] = distance
                    roughness[y, x] = rough[j, i] if rough[j, i] > 0.0 else FAR
                    spread[y, x] = np.float32(spreads[j, i]) * SPREAD_MM
                if distance < -vanished_mm and known[j, i] & MEASURED:
                    kind[y, x] = GONE
                    pixel[y, x] = j * width + i
                    same_view[y, x] = distance
            if on_part[x] and doubted and not abs(distance) <= BELIEVED_MM:
                doubtful[first + doubts] = y * width + x
                doubts += 1
    return doubts


@njit(cache=True, nogil=True, error_model="numpy")
def explain_elsewhere(span, chosen, depth, rx, ry, t, lens, plane, golden_depth, deviation):
    """Lower the deviation of chosen pixels (flat numbers) that another golden view explains.

    t (4, 4) other_golden_from_test; depth, rx, ry, deviation are flat; golden_depth (h, w).
    """
    height, width = plane.shape[0], plane.shape[1]
    for n in range(span[0], span[1]):
        p = chosen[n]
        best = deviation[p]
        if abs(best) <= BELIEVED_MM:
            continue
        x, y, z, u, v = map_point(t, rx[p], ry[p], depth[p], lens)
        if z > 0.0 and _inside(u, v, width, height):
            j, i = _pixel(v), _pixel(u)
            if surely_hidden(golden_depth, j, i, z):
                continue
            px, py, pz = np.float32(x), np.float32(y), np.float32(z)
            if edge_on(plane, j, i, px, py, pz):
                continue
            there = distance_to(plane, j, i, px, py, pz)
            if abs(there) > BELIEVED_MM:
                there = nearest_distance(plane, j, i, px, py, pz, np.float32(np.inf))
                there = held_to_samples(
                    there, plane, golden_depth, rx, ry, np.float32(lens[0]), j, i, px, py, pz
                )
            if np.isfinite(there) and there > -HIDDEN_MM and not abs(there) >= abs(best):
                deviation[p] = there


@njit(cache=True, nogil=True, error_model="numpy")
def free_behind(rows, columns, z, inside, golden_depth, known, radius_px, least_mm, free):
    """Write how far behind points (n,) of a golden view, at depth z, all its rays of the window
    around met nothing, where that is more than least_mm; free (n,) float32 is left as it is
    elsewhere, as where one of them had no return or lies outside the picture."""
    height, width = golden_depth.shape
    for n in range(rows.size):
        j, i = int(rows[n]), int(columns[n])
        if not inside[n] or min(i, j) < radius_px:
            continue
        if i >= width - radius_px or j >= height - radius_px:
            continue
        nearest = golden_depth[j, i]
        for b in range(j - radius_px, j + radius_px + 1):
            for a in range(i - radius_px, i + radius_px + 1):
                if nearest - z[n] > least_mm:
                    nearest = (
                        min(nearest, golden_depth[b, a]) if known[b, a] & RETURNED else NOT_FREE
                    )
        if nearest - z[n] > least_mm:
            free[n] = nearest - z[n]
