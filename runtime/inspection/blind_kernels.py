"""The inner loop of a projector's shadow: the picture it would take, nearest point by pixel."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

BEHIND_MM = np.float32(4.0)  # so far behind what is lit a point is on another surface
NOTHING = np.float32(np.inf)


@njit(cache=True, nogil=True, error_model="numpy")
def add_shadow(rx, ry, depth_mm, returned, place_mm, focal_px, distance_mm, shadow):
    """Set `shadow` (h, w) where something stands between the projector and a pixel's point.

    rx, ry: (h, w) rays; place_mm: the projector's x and y, camera frame. It looks where the camera
    does at distance_mm, with the same focal length.
    """
    height, width = depth_mm.shape
    nearest = np.full((height + 2, width + 2), NOTHING, np.float32)
    at = np.empty((height, width, 2), np.int32)
    for y in range(height):
        for x in range(width):
            z = depth_mm[y, x]
            u = ((rx[y, x] * z - place_mm[0]) / z + place_mm[0] / distance_mm) * focal_px
            v = ((ry[y, x] * z - place_mm[1]) / z + place_mm[1] / distance_mm) * focal_px
            i = int(np.floor(u + 0.5)) + width // 2
            j = int(np.floor(v + 0.5)) + height // 2
            inside = returned[y, x] and 0 <= i < width and 0 <= j < height
            at[y, x, 0] = i + 1 if inside else 0
            at[y, x, 1] = j + 1
            if inside:
                nearest[j + 1, i + 1] = min(nearest[j + 1, i + 1], z)
    for y in range(height):
        for x in range(width):
            i, j = at[y, x, 0], at[y, x, 1]
            if i == 0:
                continue
            # the points beside it too: two surfaces are not sampled alike
            lit = NOTHING
            for b in range(j - 1, j + 2):
                for a in range(i - 1, i + 2):
                    lit = min(lit, nearest[b, a])
            shadow[y, x] = depth_mm[y, x] > lit + BEHIND_MM
