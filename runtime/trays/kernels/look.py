"""The inner loop of asking a picture for the grey value and the hue of points of a surface."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point

DARK, BRIGHT = 4, 251  # grey levels: beyond them the picture tells nothing
HUE_DARK = 16.0  # and nothing of its hue below this
RED, BLUE = 0, 2
FACING = 0.45  # least cosine between ray and normal


@njit(cache=True, nogil=True, error_model="numpy")
def add_look(points, normals, camera_from_world, lens, image, colour, depth, edge, near_mm, look):
    """Write what one view shows at points (n, 3), mm, with normals (n, 3), both world frame, into
    look (1 or 3, n); what it does not see, or not well, stays as it is.

    The first row is the logarithm of the grey value, the others red and blue over it, where look
    has them: colour is (h, w, 3) then.
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
        grey = _between(image, u, v, DARK)
        if np.isfinite(grey):
            look[0, n] = np.float32(np.log(max(grey, 1.0)))
        if len(look) == 3 and grey > HUE_DARK:
            _add_hue(colour, u, v, grey, look[1:, n])


@njit(inline="always")
def _add_hue(colour, u, v, grey, hue):
    red, blue = _between(colour[:, :, RED], u, v, -1), _between(colour[:, :, BLUE], u, v, -1)
    if np.isfinite(red):
        hue[0] = np.float32(red / grey)
    if np.isfinite(blue):
        hue[1] = np.float32(blue / grey)


@njit(inline="always")
def _between(image, u, v, dark):
    """Of four pixels, linear; NaN where one of them is dark or burnt out."""
    j, i = int(v), int(u)
    a, b = float(image[j, i]), float(image[j, i + 1])
    c, d = float(image[j + 1, i]), float(image[j + 1, i + 1])
    if min(a, b, c, d) <= dark or max(a, b, c, d) >= BRIGHT:
        return np.nan
    across, down = u - i, v - j
    top, bottom = a + (b - a) * across, c + (d - c) * across
    return top + (bottom - top) * down
