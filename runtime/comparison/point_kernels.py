"""What one golden view says of a single point: how far off its surface lies."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

SURELY_HIDDEN_MM = 5.0  # whatever the slope of what hides it: no plane there says a word about it
EDGE_ON = 0.3  # cosine between ray and normal: 73 degrees
FAR = np.float32(np.inf)
HALF_PX = np.float32(0.5)
ZERO, ONE, LEAST = np.float32(0.0), np.float32(1.0), np.float32(1e-12)


@njit(inline="always")
def distance_to(plane, j, i, x, y, z):
    """Signed distance of a point to the plane of one golden pixel; infinite where there is none."""
    along = plane[j, i, 0] * x + plane[j, i, 1] * y + plane[j, i, 2] * z
    return along - plane[j, i, 3] if plane[j, i, 2] != 0.0 else FAR


@njit(inline="always")
def _corner(plane, j, i):
    """The upper left pixel of the nine around (j, i), inside the picture."""
    one = np.uint64(1)
    top = min(j - min(j, one), np.uint64(plane.shape[0]) - np.uint64(3))
    left = min(i - min(i, one), np.uint64(plane.shape[1]) - np.uint64(3))
    return top, left


@njit(inline="always")
def nearest_distance(plane, j, i, x, y, z, best):
    """The smallest distance, by magnitude, within a pixel around (i, j), or `best`.

    Without a branch inside: which plane is the nearest is a toss-up that no processor foresees.
    """
    top, left = _corner(plane, j, i)
    for b in range(3):
        for a in range(3):
            distance = distance_to(plane, top + np.uint64(b), left + np.uint64(a), x, y, z)
            best = distance if abs(distance) < abs(best) else best
    return best


@njit(inline="always")
def _to_segment(golden_depth, rx, ry, j, i, v, u, x, y, z):
    """Squared distance of a point to the way between what two golden pixels measured, and how much
    deeper than that it lies."""
    width = np.uint64(golden_depth.shape[1])
    a, b = golden_depth[j, i], golden_depth[v, u]
    ax, ay = a * rx[j * width + i], a * ry[j * width + i]
    along_x, along_y, along_z = b * rx[v * width + u] - ax, b * ry[v * width + u] - ay, b - a
    from_x, from_y, from_z = x - ax, y - ay, z - a
    square = along_x * along_x + along_y * along_y + along_z * along_z
    share = (from_x * along_x + from_y * along_y + from_z * along_z) / max(square, LEAST)
    share = min(max(share, ZERO), ONE)
    off_x, off_y = from_x - share * along_x, from_y - share * along_y
    off_z = from_z - share * along_z
    return off_x * off_x + off_y * off_y + off_z * off_z, off_z


@njit(inline="always")
def held_to_samples(distance, plane, golden_depth, rx, ry, focal, j, i, x, y, z):
    """A distance to planes around pixel (i, j), but never less than the point lies off the net of
    what was measured there, whose meshes are a pixel wide.

    Where a surface is rough one of many planes passes any point; what was measured does not. rx, ry
    are flat.
    """
    top, left = _corner(plane, j, i)
    least, deeper = FAR, ZERO
    for b in range(3):
        for a in range(2):
            v, u = top + np.uint64(b), left + np.uint64(a)
            off, by = _to_segment(golden_depth, rx, ry, v, u, v, u + np.uint64(1), x, y, z)
            least, deeper = (off, by) if off < least else (least, deeper)
            v, u = top + np.uint64(a), left + np.uint64(b)
            off, by = _to_segment(golden_depth, rx, ry, v, u, v + np.uint64(1), u, x, y, z)
            least, deeper = (off, by) if off < least else (least, deeper)
    least -= (HALF_PX * z / focal) ** 2
    if not distance * distance < least < FAR:
        return distance
    return -np.sqrt(least) if deeper > ZERO else np.sqrt(least)


@njit(inline="always")
def edge_on(plane, j, i, x, y, z):
    """Whether the surface of a golden pixel, if any is known, lies along the ray to the point: a
    plane like that is near every point of the ray, and says nothing of how deep it lies."""
    facing = -(plane[j, i, 0] * x + plane[j, i, 1] * y + plane[j, i, 2] * z)
    return plane[j, i, 2] != 0.0 and facing < np.float32(EDGE_ON) * np.sqrt(x * x + y * y + z * z)


@njit(inline="always")
def surely_hidden(golden_depth, j, i, z):
    """Whether a point at depth z lies behind all that a golden view met within a pixel around."""
    if not z > golden_depth[j, i] + SURELY_HIDDEN_MM:
        return False
    height, width = golden_depth.shape
    for b in range(max(int(j) - 1, 0), min(int(j) + 2, height)):
        for a in range(max(int(i) - 1, 0), min(int(i) + 2, width)):
            if not z > golden_depth[b, a] + SURELY_HIDDEN_MM:
                return False
    return True
