"""The inner loop of fusing views into one instance's signed distance."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

GRAZING = 0.2  # least cosine between ray and normal: flatter, a plane says little
EDGE_WEIGHT = 0.3  # a plane beside a step in depth is fitted to half a window
BEHIND = 3.0  # reaches behind a surface: there a view says nothing


@njit(cache=True, nogil=True, error_model="numpy")
def add_view(
    slabs,
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
):
    """Add what one view says of slabs [lo, hi) of the first axis of the grid.

    total, square, weight (k, m, n) float32: weighted distance to the planes of the pixels that the
    voxels fall on, its square, and the weight; distances beyond reach in front count as reach.
    free: how often a ray passed by without a plane to tell how near. edge (h, w) uint8, 1 beside a
    step in depth.
    """
    height, width = depth.shape
    t = camera_from_grid
    for a in range(slabs[0], slabs[1]):
        gx = origin[0] + voxel * (a + 0.5)
        for b in range(total.shape[1]):
            gy = origin[1] + voxel * (b + 0.5)
            for c in range(total.shape[2]):
                gz = origin[2] + voxel * (c + 0.5)
                z = t[2, 0] * gx + t[2, 1] * gy + t[2, 2] * gz + t[2, 3]
                if not z > 0.0:
                    continue
                x = t[0, 0] * gx + t[0, 1] * gy + t[0, 2] * gz + t[0, 3]
                y = t[1, 0] * gx + t[1, 1] * gy + t[1, 2] * gz + t[1, 3]
                u = lens[0] * x / z + lens[2]
                v = lens[1] * y / z + lens[3]
                if not (u >= 0.0 and v >= 0.0 and u < width - 1.0 and v < height - 1.0):
                    continue
                i = int(u + 0.5)
                j = int(v + 0.5)
                d = depth[j, i]
                if not d > 0.0 or d - z < -BEHIND * reach:  # a NaN is not
                    continue
                nx, ny, nz = plane[j, i, 0], plane[j, i, 1], plane[j, i, 2]
                distance = nx * x + ny * y + nz * z - plane[j, i, 3]
                if d - z > reach and (nz == 0.0 or distance > reach):
                    if edge[j, i] == 0:
                        free[a, b, c] += np.float32(1.0)
                    continue
                if nz == 0.0 or distance < -reach:
                    continue
                facing = -(nx * x + ny * y + nz * z) / np.sqrt(x * x + y * y + z * z)
                if facing < GRAZING:
                    continue
                w = facing * facing * (EDGE_WEIGHT if edge[j, i] else 1.0)
                distance = min(distance, reach)
                total[a, b, c] += np.float32(w * distance)
                square[a, b, c] += np.float32(w * distance * distance)
                weight[a, b, c] += np.float32(w)
