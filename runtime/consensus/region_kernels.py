"""The inner loops of regions: who belongs to one, what a view says, what all views agree on."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point


@njit(cache=True, nogil=True, error_model="numpy")
def find_members(corners, edge, shape, numbers, order, starts, members):
    """Of cubes of `edge` voxels at corners (m, 3), which may reach out of the grid, the pieces:
    numbers (n,) of their voxels, ascending, order (n,) whose each is. Writes starts (m + 1,), and
    members, as many as there are, or none when it has no room: to be called again with room."""
    count = 0
    for r in range(corners.shape[0]):
        starts[r] = count
        low, high = max(corners[r, 2], 0), min(corners[r, 2] + edge, shape[2])
        for i in range(max(corners[r, 0], 0), min(corners[r, 0] + edge, shape[0])):
            for j in range(max(corners[r, 1], 0), min(corners[r, 1] + edge, shape[1])):
                column = (i * shape[1] + j) * shape[2]
                at = np.searchsorted(numbers, column + low)
                while at < numbers.size and numbers[at] < column + high:
                    if members.size:
                        members[count] = order[at]
                    count += 1
                    at += 1
    starts[corners.shape[0]] = count


@njit(cache=True, nogil=True, error_model="numpy")
def find_pixels(points, normals, t, eye, lens, depth, reach_mm, least_facing, pixels):
    """Write into pixels (n, 2) row and column at which a view sees each piece of surface; -1 where
    it does not.

    points, normals (n, 3); t (4, 4): camera from their frame, eye (3,) the camera there. A piece is
    seen where depth (h, w) is within reach_mm of its own.
    """
    height, width = depth.shape
    for n in range(points.shape[0]):
        pixels[n, 0] = -1
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
        ax, ay, az = eye[0] - px, eye[1] - py, eye[2] - pz
        facing = normals[n, 0] * ax + normals[n, 1] * ay + normals[n, 2] * az
        if facing < least_facing * np.sqrt(ax * ax + ay * ay + az * az):
            continue
        z = t[2, 0] * px + t[2, 1] * py + t[2, 2] * pz + t[2, 3]
        if z <= 0.0:
            continue
        x = t[0, 0] * px + t[0, 1] * py + t[0, 2] * pz + t[0, 3]
        y = t[1, 0] * px + t[1, 1] * py + t[1, 2] * pz + t[1, 3]
        u, v = project_point(x, y, z, lens)
        i = int(np.floor(u + 0.5))
        j = int(np.floor(v + 0.5))
        if 0 <= i < width and 0 <= j < height and abs(depth[j, i] - z) < reach_mm:  # a NaN is not
            pixels[n, 0] = j
            pixels[n, 1] = i


@njit(cache=True, nogil=True, error_model="numpy")
def sample(pixels, top, left, step, maps, sums):
    """Write into sums (n, c) the cell of maps (h, w, c) that holds each of pixels (n, 2); 0 where
    there is none. A cell is `step` pixels square, the first at (top, left)."""
    height, width = maps.shape[0], maps.shape[1]
    for n in range(pixels.shape[0]):
        j, i = pixels[n, 0] - top, pixels[n, 1] - left
        if 0 <= j < height * step and 0 <= i < width * step:
            sums[n] = maps[j // step, i // step]
        else:
            sums[n] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def gather(starts, members, sums, least, per_sigma, per_grain, mean, variance):
    """Of every region the weighted mean over its pieces, and its variance; NaN where fewer than
    `least` pieces say anything.

    sums (n, 4): weight, the same times what is said, times its square, and times the variance of a
    pixel. variance: of per_sigma of these and per_grain of what is said within the region.
    """
    own, grain = per_sigma * per_sigma, per_grain * per_grain
    for r in range(starts.size - 1):
        weight, total, squares, varies, count = 0.0, 0.0, 0.0, 0.0, 0
        for at in range(starts[r], starts[r + 1]):
            piece = members[at]
            if sums[piece, 0] > 0.0:
                weight += sums[piece, 0]
                total += sums[piece, 1]
                squares += sums[piece, 2]
                varies += sums[piece, 3]
                count += 1
        mean[r] = np.float32(np.nan)
        if count >= least:
            middle = total / weight
            mean[r] = middle
            within = max(squares / weight - middle * middle, 0.0)
            variance[r] = own * varies / weight + grain * within


@njit(cache=True, nogil=True, error_model="numpy")
def agree(means, variances, least_views, floor, least_score, said, score):
    """Of every region what all but a quarter of the views say at least, one way or the other: said
    (m,), signed, and score (m,) in tolerances; 0 where they do not agree, are fewer than
    least_views or score less than least_score.

    means, variances (m, views), NaN where a view says nothing.
    """
    values = np.empty(means.shape[1], np.float32)
    spread = np.empty(means.shape[1], np.float32)
    least = least_score * floor
    for r in range(means.shape[0]):
        said[r] = 0.0
        score[r] = 0.0
        count, brighter, darker = 0, 0, 0
        for view in range(means.shape[1]):
            if means[r, view] == means[r, view]:
                values[count] = means[r, view]
                spread[count] = variances[r, view]
                brighter += values[count] >= least
                darker += values[count] <= -least
                count += 1
        if count < least_views or max(brighter, darker) < _needed(count):
            continue
        sign = 1.0 if brighter > darker else -1.0
        usual = np.sort(spread[:count])[count // 2]
        low = _lower_quarter(sign * values[:count])
        apart = low / np.sqrt(floor * floor + usual)
        if apart >= least_score:
            said[r] = sign * low
            score[r] = apart


@njit(cache=True, nogil=True, error_model="numpy")
def remember(sums, over_views):
    """Add to over_views (n, 5) what one view says of each piece: its weight, the same times the
    golden grey level, times how far both are apart, times the former squared, times their product.

    sums (n, c): weight, the same times how far both are apart, ..., and last, times the golden grey
    level; logarithms.
    """
    last = sums.shape[1] - 1
    for n in range(sums.shape[0]):
        weight = sums[n, 0]
        if weight > 0.0:
            apart, golden = sums[n, 1] / weight, sums[n, last] / weight
            over_views[n, 0] += weight
            over_views[n, 1] += weight * golden
            over_views[n, 2] += weight * apart
            over_views[n, 3] += weight * golden * golden
            over_views[n, 4] += weight * golden * apart


@njit(cache=True, nogil=True, error_model="numpy")
def lost_gloss(starts, members, over_views, means, least_views, noise, lost):
    """Of every region by how much less its pieces change from view to view than the golden ones:
    the regression of how far both are apart on the golden grey level, times what that changes by.

    over_views (n, 5) as `remember` leaves them; means (m, views), NaN where a view says nothing;
    noise: a change by which nothing is told. Written: lost (m,) >= 0.
    """
    varies = np.zeros((over_views.shape[0], 2))
    for n in range(over_views.shape[0]):
        weight = over_views[n, 0]
        if weight > 0.0:
            golden = over_views[n, 1]
            varies[n, 0] = over_views[n, 3] - golden * golden / weight
            varies[n, 1] = over_views[n, 4] - golden * over_views[n, 2] / weight
    for r in range(starts.size - 1):
        lost[r] = 0.0
        views = 0
        for view in range(means.shape[1]):
            views += means[r, view] == means[r, view]
        if views < least_views:
            continue
        weight, own, both = 0.0, 0.0, 0.0
        for at in range(starts[r], starts[r + 1]):
            piece = members[at]
            weight += over_views[piece, 0]
            own += varies[piece, 0]
            both += varies[piece, 1]
        own, both = max(own / weight, 0.0), both / weight
        lost[r] = max(-both / (own + noise * noise) * np.sqrt(own), 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def agree_raised(means, least_views, said):
    """Write into said (n,) what all but a quarter of the views say at least of each piece; 0 where
    fewer than least_views say anything. means (n, views) >= 0, NaN where a view says nothing."""
    values = np.empty(means.shape[1], np.float32)
    for n in range(means.shape[0]):
        said[n] = 0.0
        count, loud = 0, 0
        for view in range(means.shape[1]):
            if means[n, view] >= 0.0:
                values[count] = means[n, view]
                loud += values[count] > 0.0
                count += 1
        if count >= least_views and loud >= _needed(count):
            said[n] = _lower_quarter(values[:count])


@njit(inline="always")
def _needed(count):
    """How many of so many numbers reach their lower quartile's upper neighbour, at least."""
    return count - 1 - int(0.25 * (count - 1))


@njit(inline="always")
def _lower_quarter(values):
    """The lower quartile of two numbers or more, between neighbours in proportion."""
    values = np.sort(values)
    at = 0.25 * (values.size - 1)
    below = int(at)
    share = at - below
    return (1.0 - share) * values[below] + share * values[below + 1]
