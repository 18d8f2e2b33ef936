"""A mesh as a camera would measure it: the ray of every pixel, cast (SiM3D, S.5)."""

# numba infers its own types: annotations here would be decoration
# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

from voxgate.export.evaluation.layouts.mesh import Mesh
from voxgate.runtime.geometry.rays import Rays, project_point
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.transforms import Transform, apply

BENT_PX = 1  # a triangle's sides are not straight in a lens: so much room around its corners
ROOM = 1e-9  # what lies on a side that two triangles share is hit


def cast_mesh(mesh: Mesh, camera_from_mesh: Transform, rays: Rays) -> DepthMap:
    """(h, w) float32, mm: z of the nearest triangle on each pixel's ray, NaN where none is."""
    depth = np.full(rays.x.shape, np.inf, np.float32)
    points = np.ascontiguousarray(apply(camera_from_mesh, mesh.points))
    _cast(points, mesh.triangles, rays.x, rays.y, rays.lens, depth)
    return np.where(np.isfinite(depth), depth, np.float32(np.nan))


@njit(cache=True, nogil=True, error_model="numpy")
def _cast(points, triangles, rx, ry, lens, depth):
    height, width = depth.shape
    for n in range(triangles.shape[0]):
        a, b, c = points[triangles[n, 0]], points[triangles[n, 1]], points[triangles[n, 2]]
        if not (a[2] > 0.0 and b[2] > 0.0 and c[2] > 0.0):
            continue
        u0, v0 = project_point(a[0], a[1], a[2], lens)
        u1, v1 = project_point(b[0], b[1], b[2], lens)
        u2, v2 = project_point(c[0], c[1], c[2], lens)
        left = max(int(np.floor(min(u0, u1, u2))) - BENT_PX, 0)
        right = min(int(np.ceil(max(u0, u1, u2))) + BENT_PX, width - 1)
        top = max(int(np.floor(min(v0, v1, v2))) - BENT_PX, 0)
        bottom = min(int(np.ceil(max(v0, v1, v2))) + BENT_PX, height - 1)
        if left <= right and top <= bottom:
            _hit(a, b - a, c - a, rx, ry, (top, bottom, left, right), depth)


@njit(nogil=True, error_model="numpy")
def _hit(a, first, second, rx, ry, box, depth):
    """One triangle by a corner and two sides. A ray is t (rx, ry, 1), so that t is the depth."""
    nx = first[1] * second[2] - first[2] * second[1]
    ny = first[2] * second[0] - first[0] * second[2]
    nz = first[0] * second[1] - first[1] * second[0]
    size, off = nx * nx + ny * ny + nz * nz, nx * a[0] + ny * a[1] + nz * a[2]
    for j in range(box[0], box[1] + 1):
        for i in range(box[2], box[3] + 1):
            x, y = np.float64(rx[j, i]), np.float64(ry[j, i])
            t = off / (nx * x + ny * y + nz)
            if not 0.0 < t < depth[j, i]:  # a ray along the plane gives no number
                continue
            px, py, pz = t * x - a[0], t * y - a[1], t - a[2]
            b = nx * (py * second[2] - pz * second[1]) + ny * (pz * second[0] - px * second[2])
            b += nz * (px * second[1] - py * second[0])
            c = nx * (first[1] * pz - first[2] * py) + ny * (first[2] * px - first[0] * pz)
            c += nz * (first[0] * py - first[1] * px)
            room = ROOM * size
            if b >= -room and c >= -room and b + c <= size + room:
                depth[j, i] = t
