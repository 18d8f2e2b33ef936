"""Is this the part, and does it stand there? Both ways: is what was scanned on the CAD, and is what
the views look at of the CAD in the scan? Either alone is kept by a part that is only a piece of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.place.surface import Eye, Surface
from voxgate.runtime.transforms import Transform, apply

MATCH_MM = 1.5  # castings differ from their drawing by less
OUTLINE_MM = 3.0  # beyond the CAD's outline: clamps and fixture, which no CAD has
ABOVE_TABLE_MM = 3.0
AGREE = 0.7  # least cosine between normals
FACING = 0.35  # least cosine between normal and view: what is seen at a flatter angle is lost
HIDING_MM = 10.0  # a surface that is farther behind is hidden
CELL_MM = 3.0
LOOKED_AT = 6000
REACH_SPACINGS, LEAST_REACH_MM = 2.5, 3.0
TAIL = 95

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Likeness:
    """matched: the part of the scanned points inside the CAD's outline that lie on it; covered: the
    part of its visible side that was scanned; of those points' distances, all: tail_mm, which 95 %
    keep, and largest_mm, which all keep."""

    matched: float
    covered: float
    tail_mm: float
    largest_mm: float

    @property
    def score(self) -> float:
        """0 to 1, the harmonic mean of both ways."""
        total = self.matched + self.covered
        return 2 * self.matched * self.covered / total if total > 0 else 0.0


def on_part(scan: Surface, mesh: Surface, base_from_part: Transform) -> Mask:
    """Points above the table and inside the CAD's outline, (n,)."""
    points = apply(inverse(base_from_part[None])[0], scan.points)
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    inside = (points[:, :2] > low[:2] - OUTLINE_MM) & (points[:, :2] < high[:2] + OUTLINE_MM)
    return np.asarray(inside.all(axis=1) & (points[:, 2] > low[2] + ABOVE_TABLE_MM))


def likeness(
    scan: Surface, mesh: Surface, tree: cKDTree, base_from_part: Transform, part: Mask
) -> Likeness:
    """At this pose; part (n,): the scanned points that are asked about, tree: of the mesh."""
    away_mm, agree = _distances(scan, mesh, tree, base_from_part)
    away_mm, agree = away_mm[part], agree[part]
    if not len(away_mm):
        return Likeness(0.0, 0.0, np.inf, np.inf)
    return Likeness(
        float(((away_mm <= MATCH_MM) & agree).mean()),
        _covered(scan, mesh, base_from_part),
        float(np.percentile(away_mm, TAIL)),
        float(away_mm.max()),
    )


def _distances(
    scan: Surface, mesh: Surface, tree: cKDTree, base_from_part: Transform
) -> tuple[Array, Mask]:
    """(n,) distance to the mesh, mm, and whether the normals agree there."""
    part_from_base = inverse(base_from_part[None])[0]
    points = apply(part_from_base, scan.points)
    normals = scan.normals @ part_from_base[:3, :3].T
    apart, nearest = tree.query(points)
    normal = mesh.normals[nearest]
    across = np.abs(((points - mesh.points[nearest]) * normal).sum(axis=1))
    # near a sample the plane through it tells; beyond, the sample itself
    away = np.where(apart < CELL_MM, across, apart)
    return away, np.asarray((normals * normal).sum(axis=1) > AGREE)


def _covered(scan: Surface, mesh: Surface, base_from_part: Transform) -> float:
    part_from_base = inverse(base_from_part[None])[0]
    looked_at = np.zeros(len(mesh.points), np.bool_)
    for eye in scan.eyes:
        looked_at |= _visible(mesh, part_from_base @ eye.pose, eye)
    if not looked_at.any():
        return 0.0
    every = max(1, int(looked_at.sum()) // LOOKED_AT)
    points, normals = mesh.points[looked_at][::every], mesh.normals[looked_at][::every]
    scanned = apply(part_from_base, scan.points)
    reach_mm = max(LEAST_REACH_MM, REACH_SPACINGS * _spacing_mm(scanned))
    apart, nearest = cKDTree(scanned).query(points, distance_upper_bound=reach_mm)
    met = np.isfinite(apart)
    off = scanned[np.where(met, nearest, 0)] - points
    return float((met & (np.abs((off * normals).sum(axis=1)) <= MATCH_MM)).mean())


def _visible(mesh: Surface, part_from_camera: Transform, eye: Eye) -> Mask:
    """Samples that face the camera, in its field, with nothing of the mesh before them."""
    seen = apply(inverse(part_from_camera[None])[0], mesh.points)
    towards = part_from_camera[:3, 3] - mesh.points
    facing = (mesh.normals * towards).sum(axis=1) > FACING * np.linalg.norm(towards, axis=1)
    depth = np.maximum(seen[:, 2], 1e-9)
    ray = seen[:, :2] / depth[:, None]
    within = (seen[:, 2] > 0) & (ray > eye.low).all(axis=1) & (ray < eye.high).all(axis=1)
    cell = np.floor(ray * float(np.median(depth)) / CELL_MM).astype(np.int64)
    _, place = np.unique(cell @ (1 << 24, 1), return_inverse=True)
    nearest = np.full(place.max() + 1, np.inf)
    np.minimum.at(nearest, place, seen[:, 2])
    return np.asarray(facing & within & (seen[:, 2] <= nearest[place] + HIDING_MM))


def _spacing_mm(points: Array) -> float:
    """Typical distance of a point to its nearest neighbour."""
    apart, _ = cKDTree(points).query(points[:: max(1, len(points) // 500)], k=2)
    return float(np.median(apart[:, 1]))
