"""The inner loops of FPFH on an organised cloud: neighbours, normals, histograms."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

BINS = 11
CHANNELS = 3 * BINS
LINE = 1e-6  # of the spread along a line: what lies across it is rounding
ROUND = 1e-9  # of the radius: a neighbour exactly on it may not fall to rounding


@njit(nogil=True, cache=True)
def find_neighbours(
    rows, points, index_of, slope, lengthen, radius_mm, most, found, distance2, counts
):
    """The `most` nearest points within the radius of every point in `rows`, itself included.

    points (h, w, 3) float32; index_of (h, w) int32, -1 = no point. A pixel `n` rows or columns
    away looks at least n * slope beside (tangent units), so everything outside a window is farther
    than z * n * slope / lengthen: the window grows until nothing nearer can be outside of it.
    found (points, most) int32, distance2 float32, counts int32: per point, in no order.
    """
    width = index_of.shape[1]
    room = found.shape[1] * 64
    near_index = np.empty(room, np.int32)
    near_d2 = np.empty(room, np.float32)
    sorting = np.empty(room, np.float32)
    limit2 = np.float32(radius_mm * radius_mm * (1.0 + ROUND))
    first = int(np.ceil(0.7 * np.sqrt(most))) + 1
    for v in range(rows[0], rows[1]):
        for u in range(width):
            own = index_of[v, u]
            if own < 0:
                continue
            sure_mm = points[v, u, 2] * slope / lengthen
            whole = int(np.ceil(radius_mm / sure_mm))
            half = min(first, whole)
            count, largest2 = 0, limit2
            while True:
                count = _collect(points, index_of, v, u, half, limit2, near_index, near_d2)
                if count < 0:
                    break
                if count >= most:
                    sorting[:count] = near_d2[:count]
                    largest2 = _nth(sorting, count, most - 1)
                if half >= whole:
                    break
                if count >= most and (sure_mm * half) ** 2 >= largest2:
                    break
                wanted = np.sqrt(largest2) / sure_mm if count >= most else 2.0 * half
                half = min(whole, max(half + 1, int(np.ceil(wanted))))
            if count < 0:
                return v  # the window holds more points than there is room for
            counts[own] = _keep(
                near_index, near_d2, count, largest2, most, found[own], distance2[own]
            )
    return -1


@njit(inline="always")
def _collect(points, index_of, v, u, half, limit2, near_index, near_d2):
    """All points within the window and the radius; -1 when there is no room for them."""
    height, width = index_of.shape
    x, y, z = points[v, u, 0], points[v, u, 1], points[v, u, 2]
    count = 0
    for j in range(max(v - half, 0), min(v + half + 1, height)):
        for i in range(max(u - half, 0), min(u + half + 1, width)):
            other = index_of[j, i]
            if other < 0:
                continue
            dx = points[j, i, 0] - x
            dy = points[j, i, 1] - y
            dz = points[j, i, 2] - z
            d2 = dx * dx + dy * dy + dz * dz
            if d2 > limit2:
                continue
            if count == near_index.size:
                return -1
            near_index[count] = other
            near_d2[count] = d2
            count += 1
    return count


@njit(inline="always")
def _keep(near_index, near_d2, count, largest2, most, found, distance2):
    """Those nearer than the last, then as many at its distance as there is room for."""
    kept = 0
    for n in range(count):
        if near_d2[n] < largest2 or count <= most:
            found[kept] = near_index[n]
            distance2[kept] = near_d2[n]
            kept += 1
    if count > most:
        for n in range(count):
            if near_d2[n] == largest2 and kept < most:
                found[kept] = near_index[n]
                distance2[kept] = near_d2[n]
                kept += 1
    return kept


@njit(cache=True)
def _nth(values, count, n):
    """The n-th smallest of the first `count` values, which are put out of order."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if n <= j:
            high = j
        elif n >= i:
            low = i
        else:
            break
    return values[n]


@njit(nogil=True, cache=True)
def fit_normals(span, cloud, found, distance2, counts, radius_mm, most, normals):
    """Unit normals (n, 3) float64 towards the camera: the direction of least spread of the `most`
    nearest points within the radius; 0, 0, -1 where fewer than three are there."""
    sorting = np.empty(found.shape[1], np.float32)
    limit2 = np.float32(radius_mm * radius_mm * (1.0 + ROUND))
    for p in range(span[0], span[1]):
        count = counts[p]
        cut2 = limit2
        if count > most:
            sorting[:count] = distance2[p, :count]
            cut2 = min(limit2, _nth(sorting, count, most - 1))
        spread = np.zeros((3, 3))
        mean = np.zeros(3)
        used = 0
        for n in range(count):
            if distance2[p, n] > cut2:
                continue
            q = found[p, n]
            a = cloud[q, 0] - cloud[p, 0]
            b = cloud[q, 1] - cloud[p, 1]
            c = cloud[q, 2] - cloud[p, 2]
            mean[0] += a
            mean[1] += b
            mean[2] += c
            spread[0, 0] += a * a
            spread[0, 1] += a * b
            spread[0, 2] += a * c
            spread[1, 1] += b * b
            spread[1, 2] += b * c
            spread[2, 2] += c * c
            used += 1
        normals[p, 0], normals[p, 1], normals[p, 2] = 0.0, 0.0, -1.0
        if used >= 3:
            for i in range(3):
                for j in range(i, 3):
                    spread[i, j] = spread[i, j] / used - mean[i] * mean[j] / (used * used)
                    spread[j, i] = spread[i, j]
            _least_direction(spread, normals[p])
            towards = 0.0
            for i in range(3):
                towards -= normals[p, i] * cloud[p, i]
            if towards < 0.0:
                for i in range(3):
                    normals[p, i] = -normals[p, i]


@njit(cache=True)
def _least_direction(a, out):
    """Unit eigenvector of the smallest eigenvalue of a symmetric 3 x 3 matrix, in closed form.

    Points on a line have no plane: `out` stays as it is.
    """
    third = (a[0, 0] + a[1, 1] + a[2, 2]) / 3.0
    off = a[0, 1] ** 2 + a[0, 2] ** 2 + a[1, 2] ** 2
    p2 = (a[0, 0] - third) ** 2 + (a[1, 1] - third) ** 2 + (a[2, 2] - third) ** 2 + 2.0 * off
    if p2 <= 0.0:
        return
    p = np.sqrt(p2 / 6.0)
    b00, b11, b22 = (a[0, 0] - third) / p, (a[1, 1] - third) / p, (a[2, 2] - third) / p
    b01, b02, b12 = a[0, 1] / p, a[0, 2] / p, a[1, 2] / p
    det = (
        b00 * (b11 * b22 - b12 * b12)
        - b01 * (b01 * b22 - b12 * b02)
        + b02 * (b01 * b12 - b11 * b02)
    )
    angle = np.arccos(min(1.0, max(-1.0, 0.5 * det))) / 3.0
    least = third + 2.0 * p * np.cos(angle + 2.0 * np.pi / 3.0)
    best = LINE * p2
    for i in range(3):
        j = (i + 1) % 3
        r0 = np.array([a[i, 0], a[i, 1], a[i, 2]])
        r1 = np.array([a[j, 0], a[j, 1], a[j, 2]])
        r0[i] -= least
        r1[j] -= least
        x = r0[1] * r1[2] - r0[2] * r1[1]
        y = r0[2] * r1[0] - r0[0] * r1[2]
        z = r0[0] * r1[1] - r0[1] * r1[0]
        length = np.sqrt(x * x + y * y + z * z)
        if length > best:
            best = length
            out[0], out[1], out[2] = x / length, y / length, z / length


@njit(inline="always")
def _bin(value):
    """Histogram bin of a value in [0, 1]."""
    return min(BINS - 1, max(0, int(np.floor(BINS * value))))


@njit(nogil=True, cache=True)
def point_histograms(span, cloud, normals, found, counts, spfh):
    """SPFH (n, 33) float32: three angles between a point and each neighbour (Rusu 2009, eq. 1)."""
    for p in range(span[0], span[1]):
        spfh[p, :] = 0.0
        if counts[p] < 2:
            continue
        share = 100.0 / (counts[p] - 1)
        for n in range(counts[p]):
            q = found[p, n]
            if q == p:
                continue
            dx = cloud[q, 0] - cloud[p, 0]
            dy = cloud[q, 1] - cloud[p, 1]
            dz = cloud[q, 2] - cloud[p, 2]
            distance = np.sqrt(dx * dx + dy * dy + dz * dz)
            theta, alpha, phi = 0.0, 0.0, 0.0
            if distance > 0.0:
                first = (normals[p, 0] * dx + normals[p, 1] * dy + normals[p, 2] * dz) / distance
                second = (normals[q, 0] * dx + normals[q, 1] * dy + normals[q, 2] * dz) / distance
                a, b, phi = p, q, first
                if abs(first) < abs(second):  # the one whose normal leans more is the source
                    a, b, phi = q, p, -second
                    dx, dy, dz = -dx, -dy, -dz
                vx = dy * normals[a, 2] - dz * normals[a, 1]
                vy = dz * normals[a, 0] - dx * normals[a, 2]
                vz = dx * normals[a, 1] - dy * normals[a, 0]
                length = np.sqrt(vx * vx + vy * vy + vz * vz)
                if length > 0.0:
                    vx, vy, vz = vx / length, vy / length, vz / length
                    wx = normals[a, 1] * vz - normals[a, 2] * vy
                    wy = normals[a, 2] * vx - normals[a, 0] * vz
                    wz = normals[a, 0] * vy - normals[a, 1] * vx
                    alpha = vx * normals[b, 0] + vy * normals[b, 1] + vz * normals[b, 2]
                    across = wx * normals[b, 0] + wy * normals[b, 1] + wz * normals[b, 2]
                    along = (
                        normals[a, 0] * normals[b, 0]
                        + normals[a, 1] * normals[b, 1]
                        + normals[a, 2] * normals[b, 2]
                    )
                    theta = np.arctan2(across, along)
                else:
                    phi = 0.0
            spfh[p, _bin((theta + np.pi) / (2.0 * np.pi))] += share
            spfh[p, BINS + _bin((alpha + 1.0) * 0.5)] += share
            spfh[p, 2 * BINS + _bin((phi + 1.0) * 0.5)] += share


@njit(nogil=True, cache=True)
def weighted_histograms(span, spfh, found, distance2, counts, pixel, out):
    """FPFH into out (33, pixels) float32: the neighbours' SPFH by 1 / distance^2, each of the three
    histograms brought to a sum of 100, plus the point's own (Rusu 2009, eq. 2 as Open3D has it)."""
    total = np.empty(CHANNELS)
    for p in range(span[0], span[1]):
        total[:] = 0.0
        for n in range(counts[p]):
            d2 = distance2[p, n]
            if d2 > 0.0:
                weight = 1.0 / d2
                q = found[p, n]
                for c in range(CHANNELS):
                    total[c] += weight * spfh[q, c]
        for part in range(3):
            whole = 0.0
            for c in range(part * BINS, (part + 1) * BINS):
                whole += total[c]
            scale = 100.0 / whole if whole > 0.0 else 0.0
            for c in range(part * BINS, (part + 1) * BINS):
                out[c, pixel[p]] = total[c] * scale + spfh[p, c]
