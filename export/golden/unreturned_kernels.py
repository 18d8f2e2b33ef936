"""The inner loop of filling gaps: points that other views measured, as this view would see them."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point


@njit(cache=True, error_model="numpy")
def see(points, normals, camera_from_part, lens, facing, wanted, nearest):
    """Lower `nearest` (h, w) to the depth of each point (n, 3) that falls on a `wanted` pixel.

    normals (n, 3), towards whoever measured them: a surface that is met flatter than the cosine
    `facing`, or from behind, is not seen. A normal that is NaN is not, either.
    """
    t = camera_from_part
    height, width = nearest.shape
    for n in range(points.shape[0]):
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
        z = t[2, 0] * px + t[2, 1] * py + t[2, 2] * pz + t[2, 3]
        if not z > 0.0:
            continue
        x = t[0, 0] * px + t[0, 1] * py + t[0, 2] * pz + t[0, 3]
        y = t[1, 0] * px + t[1, 1] * py + t[1, 2] * pz + t[1, 3]
        u, v = project_point(x, y, z, lens)
        if not (u > -0.5 and v > -0.5 and u < width - 0.5 and v < height - 0.5):
            continue
        i, j = int(u + 0.5), int(v + 0.5)
        if not (wanted[j, i] and z < nearest[j, i]):
            continue
        along = 0.0
        for row, at in enumerate((x, y, z)):
            for column in range(3):
                along -= at * t[row, column] * normals[n, column]
        if along > facing * np.sqrt(x * x + y * y + z * z):
            nearest[j, i] = z
