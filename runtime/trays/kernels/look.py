"""The inner loop of asking a picture for the grey value of points of a surface."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point

DARK, BRIGHT = 4, 251  # grey levels: beyond them the picture tells nothing
FACING = 0.45  # least cosine between ray and normal


@njit(cache=True, nogil=True, error_model="numpy")
def add_look(points, normals, camera_from_world, lens, image, depth, edge, near_mm, grey):
    """Write the logarithm of the grey value that one view shows at points (n, 3), mm, with normals
    (n, 3), both world frame, into grey (n,); what it does not see, or not well, stays as it is.

    near_mm: of the depth (h, w) measured there, else something stands before it; edge (h, w) uint8.
    """
    height, width = image.shape
    t = camera_from_world
    for n in range(len(points)):
        px, py, pz = points[n]
        z = t[2, 0] * px + t[2, 1] * py + t[2, 2] * pz + t[2, 3]
        if not z > 0.0:
            continue
        x = t[0, 0] * px + t[0, 1] * py + t[0, 2] * pz + t[0, 3]
        y = t[1, 0] * px + t[1, 1] * py + t[1, 2] * pz + t[1, 3]
        u, v = project_point(x, y, z, lens)
        if not (u >= 1.0 and v >= 1.0 and u < width - 2.0 and v < height - 2.0):
            continue
        j, i = int(np.rint(v)), int(np.rint(u))
        if edge[j, i] != 0 or not abs(depth[j, i] - z) < near_mm:
            continue
        facing = 0.0
        for axis, along in enumerate((x, y, z)):
            turned = t[axis, 0] * normals[n, 0] + t[axis, 1] * normals[n, 1]
            facing -= along * (turned + t[axis, 2] * normals[n, 2])
        if not facing > FACING * np.sqrt(x * x + y * y + z * z):
            continue
        grey[n] = _between(image, u, v, grey[n])


@njit(inline="always")
def _between(image, u, v, unknown):
    """Of four pixels, linear; `unknown` where one of them is dark or burnt out."""
    j, i = int(v), int(u)
    a, b = float(image[j, i]), float(image[j, i + 1])
    c, d = float(image[j + 1, i]), float(image[j + 1, i + 1])
    if min(a, b, c, d) <= DARK or max(a, b, c, d) >= BRIGHT:
        return unknown
    across, down = u - i, v - j
    top, bottom = a + (b - a) * across, c + (d - c) * across
    return np.float32(np.log(max(top + (bottom - top) * down, 1.0)))
