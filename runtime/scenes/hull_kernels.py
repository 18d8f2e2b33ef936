"""The inner loops of the visual hull: what all silhouettes cover, and how deep a view sees it."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.runtime.geometry.rays import project_point

TABLE, UNKNOWN = 0, 2  # of a silhouette


@njit(cache=True, nogil=True, error_model="numpy")
def carve(todo, origin, voxel, cameras_from_world, lens, masks, misses, least, inside):
    """Mark the voxels of inside (k, m, n) uint8 that are in the silhouettes of all views that see
    them but `misses`, and that at least `least` views see.

    todo (p, q, r) bool: only blocks of this coarser grid are looked at. cameras_from_world
    (v, 4, 4), masks (v, h, w) uint8: TABLE, PART or UNKNOWN.
    """
    k, m, n = inside.shape
    views, height, width = masks.shape
    step_x, step_y, step_z = -(-k // todo.shape[0]), -(-m // todo.shape[1]), -(-n // todo.shape[2])
    for a in range(k):
        for b in range(m):
            for c in range(n):
                if not todo[a // step_x, b // step_y, c // step_z]:
                    continue
                px = origin[0] + voxel * (a + 0.5)
                py = origin[1] + voxel * (b + 0.5)
                pz = origin[2] + voxel * (c + 0.5)
                seen, missed = 0, 0
                for view in range(views):
                    t = cameras_from_world[view]
                    z = t[2, 0] * px + t[2, 1] * py + t[2, 2] * pz + t[2, 3]
                    if not z > 0.0:
                        continue
                    x = t[0, 0] * px + t[0, 1] * py + t[0, 2] * pz + t[0, 3]
                    y = t[1, 0] * px + t[1, 1] * py + t[1, 2] * pz + t[1, 3]
                    u, v = project_point(x, y, z, lens)
                    if not (u >= 0.0 and v >= 0.0 and u < width - 1.0 and v < height - 1.0):
                        continue
                    what = masks[view, int(v + 0.5), int(u + 0.5)]
                    if what == UNKNOWN:
                        continue
                    seen += 1
                    if what == TABLE:
                        missed += 1
                        if missed > misses:
                            break
                inside[a, b, c] = missed <= misses and seen >= least


@njit(cache=True, nogil=True, error_model="numpy")
def meet(solid, origin, voxel, world_from_camera, rx, ry, mask, depth):
    """Write into depth (h, w) float32 where the ray of each pixel of mask (h, w) bool enters what
    is at least half solid (k, m, n) float32, linear between two samples; NaN where it does not."""
    k, m, n = solid.shape
    height, width = depth.shape
    t = world_from_camera
    for v in range(height):
        for u in range(width):
            if not mask[v, u]:
                continue
            depth[v, u] = np.nan
            a, b = rx[v, u], ry[v, u]
            dx = t[0, 0] * a + t[0, 1] * b + t[0, 2]
            dy = t[1, 0] * a + t[1, 1] * b + t[1, 2]
            dz = t[2, 0] * a + t[2, 1] * b + t[2, 2]
            enter, leave = 0.0, np.inf
            for d, eye, low, size in (
                (dx, t[0, 3], origin[0], k),
                (dy, t[1, 3], origin[1], m),
                (dz, t[2, 3], origin[2], n),
            ):
                along = d if abs(d) > 1e-12 else 1e-12
                one, other = (low - eye) / along, (low + voxel * size - eye) / along
                enter, leave = max(enter, min(one, other)), min(leave, max(one, other))
            step = 0.5 * voxel / np.sqrt(dx * dx + dy * dy + dz * dz)
            before, at = np.float32(0.0), enter
            while at < leave:
                x = (t[0, 3] + at * dx - origin[0]) / voxel - 0.5
                y = (t[1, 3] + at * dy - origin[1]) / voxel - 0.5
                z = (t[2, 3] + at * dz - origin[2]) / voxel - 0.5
                here = _between(solid, x, y, z)
                if here >= 0.5:
                    back = (here - 0.5) / max(here - before, np.float32(1e-6))
                    depth[v, u] = at - step * min(back, 1.0)
                    break
                before = here
                at += step


@njit(inline="always")
def _between(solid, x, y, z):
    """Linear between eight voxels, the nearest beyond the borders."""
    k, m, n = solid.shape
    x, y, z = min(max(x, 0.0), k - 1.0), min(max(y, 0.0), m - 1.0), min(max(z, 0.0), n - 1.0)
    a, b, c = min(int(x), k - 2), min(int(y), m - 2), min(int(z), n - 2)
    found = 0.0
    for i in range(2):
        for j in range(2):
            for o in range(2):
                weight = abs(1 - i - (x - a)) * abs(1 - j - (y - b)) * abs(1 - o - (z - c))
                found += weight * solid[a + i, b + j, c + o]
    return np.float32(found)
