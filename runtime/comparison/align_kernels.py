"""Point-to-plane normal equations with projective association and robust weights."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point


@njit(cache=True, nogil=True, error_model="numpy")
def point_to_plane(
    points, weights, t, plane, lens, centre, scale_mm, gate_mm, system, residuals_mm
):
    """Add the points' equations to `system` (6, 7): Hessian and gradient, golden camera frame.

    points (n, 3) float32 of the test camera, t (4, 4) golden_from_test; unknowns are a rotation
    vector about `centre` and a translation. Writes the signed distance to the plane of every point
    that meets one (+ in front) and returns their number. The robust weights are of Geman and
    McClure (1985); `weights` (n,) is what each point counts beside.
    """
    height, width = plane.shape[0], plane.shape[1]
    row = np.empty(6)
    compared = 0
    for p in range(points.shape[0]):
        a, b, c = points[p, 0], points[p, 1], points[p, 2]
        x = t[0, 0] * a + t[0, 1] * b + t[0, 2] * c + t[0, 3]
        y = t[1, 0] * a + t[1, 1] * b + t[1, 2] * c + t[1, 3]
        z = t[2, 0] * a + t[2, 1] * b + t[2, 2] * c + t[2, 3]
        if not z > 0.0:
            continue
        u, v = project_point(x, y, z, lens)
        if not (u >= -0.5 and v >= -0.5 and u < width - 0.5 and v < height - 0.5):
            continue
        i = int(u + 0.5)
        j = int(v + 0.5)
        nx, ny, nz = plane[j, i, 0], plane[j, i, 1], plane[j, i, 2]
        if nz == 0.0:
            continue
        residual = nx * x + ny * y + nz * z - plane[j, i, 3]
        residuals_mm[p] = residual
        compared += 1
        if abs(residual) > gate_mm:
            continue
        x -= centre[0]
        y -= centre[1]
        z -= centre[2]
        row[0] = y * nz - z * ny
        row[1] = z * nx - x * nz
        row[2] = x * ny - y * nx
        row[3] = nx
        row[4] = ny
        row[5] = nz
        share = scale_mm * scale_mm / (scale_mm * scale_mm + residual * residual)
        weight = weights[p] * share * share
        for k in range(6):
            weighted = weight * row[k]
            for m in range(6):
                system[k, m] += weighted * row[m]
            system[k, 6] += weighted * residual
    return compared
