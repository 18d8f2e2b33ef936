"""Which pieces of surface did the rays of one view reach, from their front?"""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point

UNKNOWN = 3.0  # times as far: a voxel to either side
GRAZING = 0.08  # cosine: flatter rays return noise


@njit(inline="always")
def _met_across(t, nx, ny, nz, u, v, wide_px, depth, nearest, farthest):
    """Whether a ray met a piece of this normal, seen at (u, v), within wide_px across its tilt."""
    x = t[0, 0] * nx + t[0, 1] * ny + t[0, 2] * nz
    y = t[1, 0] * nx + t[1, 1] * ny + t[1, 2] * nz
    length = np.sqrt(x * x + y * y)
    if length == 0.0:
        return False
    height, width = depth.shape
    for a in range(-1, 2):
        i = int(np.floor(u - a * wide_px * y / length + 0.5))
        j = int(np.floor(v + a * wide_px * x / length + 0.5))
        if 0 <= i < width and 0 <= j < height and nearest < depth[j, i] < farthest:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def look(points, normals, t, eye, lens, depth, half_mm, reach_mm, through, met, seen, passed):
    """Set met (n,) where a ray of this view met surface (n, 3) points; seen (n,) there, and where
    one passed through them; passed (n,) where every ray that returned did, written for all that no
    view has met.

    t (4, 4): camera from the points' frame; eye (3,): the camera there; depth (h, w), NaN without
    a return. A piece reaches half_mm to its sides. A ray that ends more than reach_mm before the
    piece, along its normal, saw something else; one that ends as far behind it passed through, and
    that counts if `through`. Normals of length 0 say that the piece lies somewhere in its voxel, or
    near it: any ray around will do. A tilted piece is as wide as ever across its tilt: where no ray
    returned of its middle, one beside that met it has seen it too, and says nothing of the middle.
    """
    height, width = depth.shape
    for n in range(points.shape[0]):
        passed[n] = False
        if met[n]:
            continue
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
        ax, ay, az = eye[0] - px, eye[1] - py, eye[2] - pz
        away = np.sqrt(ax * ax + ay * ay + az * az)
        nx, ny, nz = normals[n, 0], normals[n, 1], normals[n, 2]
        facing = (nx * ax + ny * ay + nz * az) / away
        side_mm, away_mm = half_mm, reach_mm
        if nx == 0.0 and ny == 0.0 and nz == 0.0:
            facing = 1.0
            side_mm, away_mm = UNKNOWN * half_mm, UNKNOWN * reach_mm
        if facing < GRAZING:
            continue
        z = t[2, 0] * px + t[2, 1] * py + t[2, 2] * pz + t[2, 3]
        if z <= 0.0:
            continue
        x = t[0, 0] * px + t[0, 1] * py + t[0, 2] * pz + t[0, 3]
        y = t[1, 0] * px + t[1, 1] * py + t[1, 2] * pz + t[1, 3]
        u, v = project_point(x, y, z, lens)
        # a tilted piece is foreshortened: no farther to its sides than it looks
        side = int(side_mm * facing * lens[0] / z + 0.5)
        nearest, farthest = z - away_mm / facing, z + away_mm / facing
        before, behind = 0, 0
        for b in range(-1, 2):
            for a in range(-1, 2):
                i = int(np.floor(u + a * side + 0.5))
                j = int(np.floor(v + b * side + 0.5))
                if not (0 <= i < width and 0 <= j < height):
                    continue
                met[n] |= nearest < depth[j, i] < farthest
                before += depth[j, i] <= nearest
                behind += depth[j, i] >= farthest
        seen[n] |= met[n] or (through and behind > 0)
        if not seen[n]:
            wide = side_mm * lens[0] / z
            seen[n] = _met_across(t, nx, ny, nz, u, v, wide, depth, nearest, farthest)
        passed[n] = behind > 0 and before == 0 and not met[n]
