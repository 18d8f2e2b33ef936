"""The lens model turned around, one Newton step for every pixel."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def newton_step(x, y, xd, yd, d, next_x, next_y):
    """Better undistorted places into next_x, next_y; returns how far off x, y still were.

    x, y, xd, yd, next_x, next_y (h, w) float64: undistorted, distorted places, no unit; d (8,)
    k1 k2 p1 p2 k3 k4 k5 k6. The largest error of a coordinate is infinite where the model diverges.
    """
    worst = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            a, b = x[i, j], y[i, j]
            r2 = a * a + b * b
            above = 1.0 + r2 * (d[0] + r2 * (d[1] + r2 * d[4]))
            below = 1.0 + r2 * (d[5] + r2 * (d[6] + r2 * d[7]))
            radial = above / below
            ab2 = 2.0 * a * b
            error_x = a * radial + d[2] * ab2 + d[3] * (r2 + 2.0 * a * a) - xd[i, j]
            error_y = b * radial + d[2] * (r2 + 2.0 * b * b) + d[3] * ab2 - yd[i, j]
            off = max(abs(error_x), abs(error_y))
            if not np.isfinite(error_x + error_y):
                off = np.inf
            worst = max(worst, off)
            # the derivative of the distortion, which is symmetric
            rise = d[0] + r2 * (2.0 * d[1] + r2 * 3.0 * d[4])
            fall = d[5] + r2 * (2.0 * d[6] + r2 * 3.0 * d[7])
            slope = 2.0 * ((rise - radial * fall) / below)
            xx = radial + slope * a * a + 2.0 * d[2] * b + 6.0 * d[3] * a
            xy = slope * a * b + 2.0 * d[2] * a + 2.0 * d[3] * b
            yy = radial + slope * b * b + 6.0 * d[2] * b + 2.0 * d[3] * a
            determinant = xx * yy - xy * xy
            next_x[i, j] = a - (yy * error_x - xy * error_y) / determinant
            next_y[i, j] = b - (xx * error_y - xy * error_x) / determinant
    return worst
