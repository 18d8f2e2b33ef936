"""The inner loops of bringing a sensor's surface into a camera: projected, drawn, nearest first.

A picture is drawn as one int64 a pixel: the bits of its depth above the number of what is seen, so
that the nearest is the least. Most of four neighbours cover two by two pixels at most: these are
worked out a row at a time by vector instructions, and put down without branches that nobody could
foresee.
"""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_row

UNKNOWN = -1
NOTHING = np.int64(0x7F80_0000_FFFF_FFFF)  # infinitely far, UNKNOWN
NUMBER = np.int64(0xFFFF_FFFF)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
ROOM = np.float32(1e-3)  # px: what lies on the line between two triangles belongs to both
FAR = np.float32(1e6)
ONE_PX = np.int32(1)
SKIPPED, SMALL, ANY = np.int32(0), np.int32(1), np.int32(2)


class Row(NamedTuple):
    """Of one row of the sensor, a column each, float32: depth, and in the camera pixel (u, v) and
    depth w; the first pixel (i, j) at or after it, int32."""

    depth: Any
    u: Any
    v: Any
    w: Any
    i: Any
    j: Any


class Fours(NamedTuple):
    """Of each four neighbours between two rows: twice the areas of their triangles; the box of
    pixels, `top` to before `bottom`; what is said where they are seen; of a box of two by two the
    first pixel's place in the picture, steps to the others, and what is drawn at each."""

    area: Any
    beyond: Any
    top: Any
    bottom: Any
    left: Any
    right: Any
    said: Any
    kind: Any
    place: Any
    across: Any
    down: Any
    at_00: Any
    at_01: Any
    at_10: Any
    at_11: Any


@njit(nogil=True, error_model="numpy")
def _round_up(place, pixels):
    """The first pixel at or after each place of a row; of what lies beside every picture, any."""
    for n in range(place.size):
        pixels[n] = np.int32(np.ceil(min(max(place[n], -FAR), FAR)))


@njit(inline="always")
def _key(z, number):
    """The nearer the less; of what is equally far, what has a number."""
    return (np.int64(np.float32(z).view(np.int32)) << 32) | (np.int64(number) & NUMBER)


@njit(inline="always")
def _draw(first, second, third, box, number, drawn):
    """One triangle into a box of pixels, where it is nearer than what is there.

    number: UNKNOWN, or of the pixel whose surface it is: that too is UNKNOWN from behind.
    """
    (u0, v0, w0), (u1, v1, w1), (u2, v2, w2) = first, second, third
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
                said = number if area > ZERO else UNKNOWN
                key = _key(w0 + b * by_b + c * by_c, said)
                drawn[j, i] = min(drawn[j, i], key)


@njit(nogil=True, error_model="numpy")
def _extent(depth):
    """The first column that has a return, and the first after which none has."""
    first, past = 0, depth.size
    while first < past and not depth[first] > ZERO:
        first += 1
    while first < past and not depth[past - 1] > ZERO:
        past -= 1
    return first, past


@njit(nogil=True, error_model="numpy")
def _judge(above, below, step, first, fours):
    """Areas, 0 without a return at every corner, and what is said: `first` is the first's."""
    ds, us, vs, ws = above.depth, above.u, above.v, above.w
    dt, ut, vt, wt = below.depth, below.u, below.v, below.w
    area, beyond, said = fours.area, fours.beyond, fours.said
    for x in range(said.size):
        # a NaN, and what lies behind the camera, compare as false
        measured = (ws[x] > ZERO) & (ws[x + 1] > ZERO) & (wt[x] > ZERO) & (wt[x + 1] > ZERO)
        u0, v0, u1, v1 = us[x], vs[x], us[x + 1], vs[x + 1]
        u2, v2, u3, v3 = ut[x], vt[x], ut[x + 1], vt[x + 1]
        size = (u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)
        other = (u2 - u3) * (v1 - v3) - (u1 - u3) * (v2 - v3)
        area[x] = size if measured else ZERO
        beyond[x] = other if measured else ZERO
        d, most = ds[x], step * ds[x]
        one = (abs(ds[x + 1] - d) <= most) & (abs(dt[x] - d) <= most)
        one = one & (abs(dt[x + 1] - d) <= most) & (size > ZERO)
        said[x] = np.int32(first + x) if one else np.int32(UNKNOWN)


@njit(nogil=True, error_model="numpy")
def _span(s, t, lo, hi, first, past):
    """Pixels [first, past) of [lo, hi) that four neighbours of two rows may cover."""
    for x in range(first.size):
        first[x] = max(min(min(s[x], s[x + 1]), min(t[x], t[x + 1])), lo)
        past[x] = min(max(max(s[x], s[x + 1]), max(t[x], t[x + 1])), hi)


@njit(nogil=True, error_model="numpy")
def _sort(fours, columns):
    """Which are drawn, and how: triangles that fold over each other one by one. Returns how many
    are neither skipped nor small."""
    area, beyond, kind = fours.area, fours.beyond, fours.kind
    place, across, down = fours.place, fours.across, fours.down
    top, bottom, left, right = fours.top, fours.bottom, fours.left, fours.right
    others = 0
    for x in range(kind.size):
        high, wide = bottom[x] - top[x], right[x] - left[x]
        seen = ((area[x] != ZERO) | (beyond[x] != ZERO)) & (high > 0) & (wide > 0)
        small = (area[x] * beyond[x] > ZERO) & (high <= 2) & (wide <= 2)
        kind[x] = (SMALL if small else ANY) if seen else SKIPPED
        place[x] = top[x] * columns + left[x]
        across[x] = wide - ONE_PX
        down[x] = (high - ONE_PX) * columns
        others += kind[x] == ANY
    return others


@njit(inline="always")
def _drawn_at(p, q, r, s, w, first, second, inside, number):
    """At a pixel (p, q) from the first corner and (r, s) from the last; NOTHING if not `inside`
    one of the triangles. w: at the corners; first, second: the triangles' sides by their areas."""
    b, c = p * first[3] - first[2] * q, first[0] * q - p * first[1]
    d, e = r * second[3] - second[2] * s, second[0] * s - r * second[1]
    here = b + c <= ONE
    z = w[0] + b * (w[1] - w[0]) + c * (w[2] - w[0])
    z = z if here else w[3] + d * (w[2] - w[3]) + e * (w[1] - w[3])
    b, c = b if here else d, c if here else e
    inside = inside & (b >= -ROOM) & (c >= -ROOM) & (z > ZERO)
    return _key(z, number) if inside else NOTHING


@njit(nogil=True, error_model="numpy")
def _look(above, below, fours):
    """What is drawn at the pixels of a box of two by two; of others what it finds is not used."""
    us, vs, ws, ut, vt, wt = above.u, above.v, above.w, below.u, below.v, below.w
    area, beyond, top, bottom = fours.area, fours.beyond, fours.top, fours.bottom
    left, right, said, kind = fours.left, fours.right, fours.said, fours.kind
    at_00, at_01, at_10, at_11 = fours.at_00, fours.at_01, fours.at_10, fours.at_11
    for x in range(at_00.size):
        u0, v0, u1, v1 = us[x], vs[x], us[x + 1], vs[x + 1]
        u2, v2, u3, v3 = ut[x], vt[x], ut[x + 1], vt[x + 1]
        w = (ws[x], ws[x + 1], wt[x], wt[x + 1])
        one, other = ONE / area[x], ONE / beyond[x]
        a = ((u1 - u0) * one, (v1 - v0) * one, (u2 - u0) * one, (v2 - v0) * one)
        b = ((u2 - u3) * other, (v2 - v3) * other, (u1 - u3) * other, (v1 - v3) * other)
        i, j = left[x], top[x]
        next_i, next_j = i + ONE_PX, j + ONE_PX
        small = kind[x] == SMALL
        wide, high = small & (next_i < right[x]), next_j < bottom[x]
        p, q, r, s = np.float32(i) - u0, np.float32(j) - v0, np.float32(i) - u3, np.float32(j) - v3
        p_, r_ = np.float32(next_i) - u0, np.float32(next_i) - u3
        q_, s_ = np.float32(next_j) - v0, np.float32(next_j) - v3
        at_00[x] = _drawn_at(p, q, r, s, w, a, b, small, said[x])
        at_01[x] = _drawn_at(p_, q, r_, s, w, a, b, wide, said[x])
        at_10[x] = _drawn_at(p, q_, r, s_, w, a, b, small & high, said[x])
        at_11[x] = _drawn_at(p_, q_, r_, s_, w, a, b, wide & high, said[x])


@njit(nogil=True, error_model="numpy")
def _draw_small(fours, places, keys, drawn):
    """The pixels that are met are gathered first: a processor that looks ahead stumbles over what
    was put down a moment ago."""
    place, across, down = fours.place, fours.across, fours.down
    at_00, at_01, at_10, at_11 = fours.at_00, fours.at_01, fours.at_10, fours.at_11
    met = np.uint64(0)
    for x in range(place.size):
        here, below_it = place[x], place[x] + down[x]
        places[met], keys[met] = here, at_00[x]
        met += np.uint64(at_00[x] < NOTHING)
        places[met], keys[met] = here + across[x], at_01[x]
        met += np.uint64(at_01[x] < NOTHING)
        places[met], keys[met] = below_it, at_10[x]
        met += np.uint64(at_10[x] < NOTHING)
        places[met], keys[met] = below_it + across[x], at_11[x]
        met += np.uint64(at_11[x] < NOTHING)
    flat = drawn.reshape(-1)
    for n in range(met):
        flat[places[n]] = min(flat[places[n]], keys[n])


@njit(nogil=True, error_model="numpy")
def _draw_others(above, below, fours, drawn):
    for x in range(fours.kind.size):
        if fours.kind[x] != ANY:
            continue
        a = (above.u[x], above.v[x], above.w[x])
        b = (above.u[x + 1], above.v[x + 1], above.w[x + 1])
        c = (below.u[x], below.v[x], below.w[x])
        d = (below.u[x + 1], below.v[x + 1], below.w[x + 1])
        box = (fours.top[x], fours.bottom[x], fours.left[x], fours.right[x])
        said = fours.said[x]
        _draw(a, b, c, box, said, drawn)
        _draw(d, c, b, box, said, drawn)


@njit(nogil=True, error_model="numpy")
def _row(depth, rx, ry, t, lens, floats, whole):
    """One row of the sensor, projected where it has returns; its columns [first, past)."""
    first, past = _extent(depth)
    own = slice(first, past)
    u, v, w, i, j = floats[0], floats[1], floats[2], whole[0], whole[1]
    project_row(depth[own], rx[own], ry[own], t, lens, u[own], v[own], w[own])
    _round_up(u[own], i[own])
    _round_up(v[own], j[own])
    return first, past, Row(depth, u, v, w, i, j)


@njit(inline="always")
def _from(row, first):
    return Row(
        row.depth[first:], row.u[first:], row.v[first:], row.w[first:], row.i[first:], row.j[first:]
    )


@njit(cache=True, nogil=True, error_model="numpy")
def draw_surface(rows, depth, rx, ry, t, lens, step, drawn):
    """Draw what a sensor measured into rows [lo, hi) of a camera's picture, nearest first.

    depth, rx, ry (h, w) float32 of the sensor, NaN without a return; t: camera_from_sensor, three
    rows as one tuple; lens of the camera. Four neighbours whose depths differ by no more than
    `step` of their depth are one surface. Between others hangs the edge of what the sensor could
    not see: whatever the camera meets behind it is UNKNOWN, and so is surface seen from behind.
    drawn (H, W) int64, NOTHING at first: z in the camera and the number of the sensor's pixel.
    """
    height, width = depth.shape
    lo, hi, columns = np.int32(rows[0]), np.int32(rows[1]), np.int32(drawn.shape[1])
    floats, whole = np.empty((2, 3, width), np.float32), np.empty((2, 2, width), np.int32)
    areas, found = np.empty((2, width), np.float32), np.empty((4, width), np.int64)
    places, keys = np.empty(4 * width, np.uint32), np.empty(4 * width, np.int64)
    boxes, kinds = np.empty((8, width), np.int32), np.empty(width, np.int32)
    first, past, above = _row(depth[0], rx[0], ry[0], t, lens, floats[0], whole[0])
    for y in range(1, height):
        b = y & 1
        start, end, below = _row(depth[y], rx[y], ry[y], t, lens, floats[b], whole[b])
        common, count = max(first, start), min(past, end) - max(first, start) - 1
        if count > 0:
            upper, lower = _from(above, common), _from(below, common)
            fours = Fours(
                areas[0, :count], areas[1, :count], boxes[0, :count], boxes[1, :count],
                boxes[2, :count], boxes[3, :count], boxes[4, :count], kinds[:count],
                boxes[5, :count], boxes[6, :count], boxes[7, :count],
                found[0, :count], found[1, :count], found[2, :count], found[3, :count],
            )  # fmt: skip
            _judge(upper, lower, step, (y - 1) * width + common, fours)
            _span(upper.i, lower.i, np.int32(0), columns, fours.left, fours.right)
            _span(upper.j, lower.j, lo, hi, fours.top, fours.bottom)
            others = _sort(fours, columns)
            _look(upper, lower, fours)
            _draw_small(fours, places, keys, drawn)
            if others:
                _draw_others(upper, lower, fours, drawn)
        first, past, above = start, end, below


@njit(nogil=True, error_model="numpy")
def _nearest_around(above, here, below, least):
    """Of three rows, column by column, one column later; without branches, for vector
    instructions."""
    for i in range(here.size):
        least[i + 1] = min(min(above[i], here[i]), below[i])


@njit(nogil=True, error_model="numpy")
def _seen(here, least, edge_mm, depth, shown):
    for i in range(here.size):
        z = np.int32(here[i] >> 32).view(np.float32)
        beside = np.int32(min(min(least[i], least[i + 1]), least[i + 2]) >> 32).view(np.float32)
        number = np.int32(here[i])
        known = (number >= 0) & (z - beside <= edge_mm)
        depth[i] = z if known else np.float32(np.nan)
        shown[i] = number if known else np.int32(UNKNOWN)


@njit(cache=True, nogil=True, error_model="numpy")
def seen_surface(rows, drawn, edge_mm, depth, shown):
    """Rows [lo, hi) of depth (H, W) and shown (H, W) int32: what the camera sees, NaN and UNKNOWN
    where that is not known, and where nearer surface ends in a pixel beside it."""
    height, width = drawn.shape
    least = np.full(width + 2, NOTHING, np.int64)
    for j in range(rows[0], rows[1]):
        _nearest_around(drawn[max(j - 1, 0)], drawn[j], drawn[min(j + 1, height - 1)], least)
        _seen(drawn[j], least, edge_mm, depth[j], shown[j])
