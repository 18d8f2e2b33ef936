"""The inner loop of fusing views into one instance's signed distance."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point

GRAZING = 0.2  # least cosine between ray and normal: flatter, a plane says little
EDGE_WEIGHT = 0.3  # a plane beside a step in depth is fitted to half a window
BEHIND = 3.0  # reaches behind a surface: there a view says nothing
BEYOND = 1.25  # voxels behind one that a ray ends at when it has passed it


@njit(cache=True, nogil=True, error_model="numpy")
def add_view(
    first,
    last,
    voxels,
    origin,
    voxel,
    camera_from_grid,
    lens,
    depth,
    plane,
    edge,
    reach,
    total,
    square,
    weight,
    free,
    passed,
    ended,
):
    """Add what one view says of voxels[first:last], (v, 3) int32.

    total, square, weight (v,) float32: weighted distance to the planes of the pixels that the
    voxels fall on, its square, and the weight; distances beyond reach in front count as reach.
    free (v,): how often a ray passed by without a plane to tell how near. passed, ended (v,): how
    many rays went on by more than BEYOND voxels, and how many ended before that. edge (h, w) uint8,
    1 beside a step in depth.
    """
    height, width = depth.shape
    t00, t01, t02, t03 = camera_from_grid[0]  # a kernel that stores cannot keep what it loads
    t10, t11, t12, t13 = camera_from_grid[1]
    t20, t21, t22, t23 = camera_from_grid[2]
    fx, fy, cx, cy = lens[0], lens[1], lens[2], lens[3]
    ox, oy, oz = origin[0], origin[1], origin[2]
    straight = not lens[4:].any()
    for n in range(first, last):
        gx = ox + voxel * (voxels[n, 0] + 0.5)
        gy = oy + voxel * (voxels[n, 1] + 0.5)
        gz = oz + voxel * (voxels[n, 2] + 0.5)
        z = t20 * gx + t21 * gy + t22 * gz + t23
        if not z > 0.0:
            continue
        x = t00 * gx + t01 * gy + t02 * gz + t03
        y = t10 * gx + t11 * gy + t12 * gz + t13
        if straight:
            u, v = fx * x / z + cx, fy * y / z + cy
        else:
            u, v = project_point(x, y, z, lens)
        if not (u >= 0.0 and v >= 0.0 and u < width - 1.0 and v < height - 1.0):
            continue
        i = int(u + 0.5)
        j = int(v + 0.5)
        d = depth[j, i]
        if not d > 0.0 or d - z < -BEHIND * reach:  # a NaN is not
            continue
        if d - z > BEYOND * voxel:
            passed[n] += np.float32(1.0)
        else:
            ended[n] += np.float32(1.0)
        nx, ny, nz = plane[j, i, 0], plane[j, i, 1], plane[j, i, 2]
        distance = nx * x + ny * y + nz * z - plane[j, i, 3]
        if d - z > reach and (nz == 0.0 or distance > reach):
            if edge[j, i] == 0:
                free[n] += np.float32(1.0)
            continue
        if nz == 0.0 or distance < -reach:
            continue
        facing = -(nx * x + ny * y + nz * z) / np.sqrt(x * x + y * y + z * z)
        if facing < GRAZING:
            continue
        w = facing * facing * (EDGE_WEIGHT if edge[j, i] else 1.0)
        distance = min(distance, reach)
        total[n] += np.float32(w * distance)
        square[n] += np.float32(w * distance * distance)
        weight[n] += np.float32(w)


@njit(cache=True, nogil=True, error_model="numpy")
def agree(
    voxels,
    sums,
    reach,
    free_weight,
    least,
    contradicted,
    distance,
    average,
    weight,
    every,
    asked,
):
    """Write what the sums (4, v) say of the voxels (v, 3) into fields (k, m, n): the mean distance
    where views agree, the average also where they do not, how much weight stands behind a surface
    and behind all that was said, and that they were asked.

    What passed by counts where it has the majority: a surface is not smeared into free space.
    """
    for row in range(len(voxels)):
        a, b, c = voxels[row]
        own, passed = sums[2, row], np.float32(free_weight) * sums[3, row]
        weight[a, b, c] = own
        every[a, b, c] = own + passed
        asked[a, b, c] = True
        if passed <= own:
            passed = np.float32(0.0)
        told = own + passed
        if not told > least:
            continue
        mean = (sums[0, row] + reach * passed) / told
        spread = (sums[1, row] + reach * reach * passed) / told - mean * mean
        average[a, b, c] = mean
        if np.sqrt(max(spread, 0.0)) <= contradicted:
            distance[a, b, c] = mean


@njit(cache=True, nogil=True, error_model="numpy")
def find_steady(voxels, distance, weight, voxel, low, high, least, steady):
    """Mark the voxels (v, 3) that a surface passes: within a voxel of it, where the distance grows
    by low to high a millimetre, and seen by least weight. distance, weight (k, m, n) float32."""
    k, m, n = distance.shape
    for row in range(len(voxels)):
        a, b, c = voxels[row]
        here = distance[a, b, c]
        if not abs(here) < voxel or not weight[a, b, c] > least:
            continue
        x = _slope(distance[max(a - 1, 0), b, c], distance[min(a + 1, k - 1), b, c], a, k)
        y = _slope(distance[a, max(b - 1, 0), c], distance[a, min(b + 1, m - 1), c], b, m)
        z = _slope(distance[a, b, max(c - 1, 0)], distance[a, b, min(c + 1, n - 1)], c, n)
        steep = np.sqrt(x * x + y * y + z * z) / voxel
        steady[a, b, c] = low < steep < high


@njit(inline="always")
def _slope(before, after, at, length):
    return (after - before) / (2.0 if 0 < at < length - 1 else 1.0)
