"""Points with normals: what was scanned, and from where; what a mesh is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.place.points import Cloud
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform

SAMPLES = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """Where a view was taken from, base_from_camera, and its field: x/z and y/z, (2,) each."""

    pose: Transform
    low: Array
    high: Array


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Points and outward normals (n, 3); eyes: of a scan, the views that saw them."""

    points: Array
    normals: Array
    eyes: tuple[Eye, ...] = ()

    def some(self, count: int) -> Surface:
        """About so many of the points, in equal steps."""
        every = max(1, len(self.points) // count)
        return Surface(self.points[::every], self.normals[::every], self.eyes)


def mesh_surface(mesh: Cloud, seed: int = 1) -> Surface:
    """Random points on the triangles, as many per mm2 everywhere. Raises CalibrationError."""
    if mesh.triangles is None:
        raise CalibrationError("the CAD file has no triangles: export a mesh, STL or PLY, in mm")
    generator = np.random.default_rng(seed)
    a, b, c = (mesh.points[mesh.triangles[:, corner]] for corner in range(3))
    crossed = np.cross(b - a, c - a)
    doubled = np.linalg.norm(crossed, axis=1)
    if not doubled.sum() > 0:
        raise CalibrationError("the CAD mesh has no area")
    chosen = generator.choice(len(a), SAMPLES, p=doubled / doubled.sum())
    u, v = generator.random((2, SAMPLES, 1))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    points = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    return Surface(points, crossed[chosen] / doubled[chosen, None])
