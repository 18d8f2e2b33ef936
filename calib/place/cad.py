"""Where the part stands: a golden scan is laid onto the CAD mesh, point to plane.

Start: a given pose, or the best of many turns about the vertical. Then Gauss-Newton with nearest
points of the mesh whose normals agree; Geman-McClure weights whose scale shrinks, so that what is
not in the CAD (table, clamps, labels) does not pull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, motion
from voxgate.calib.place.cloud import Cloud
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform, apply

SAMPLES = 60_000
ROUGH_POINTS, FINE_POINTS = 1500, 12_000
ROUGH_MM = (20.0, 15.0, 10.0, 7.0, 5.0, 4.0, 3.0, 3.0)
FINE_MM = (3.0, 2.0, 1.0, 0.6, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3)
TURNS = 24
AGREE = 0.7  # least cosine between normals
GATE = 3.0  # scales; farther points are not of this surface
TABLE_BIN_MM, ABOVE_TABLE_MM = 2.0, 3.0
NOISE_MM = 0.1
PATCHES = 300.0  # neighbouring points err alike, and castings differ in shape: so many count
LEAST_MATCHED = 0.2
MIN_MATCHED = 50


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Points and outward normals (n, 3)."""

    points: Array
    normals: Array


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """base_from_part; distances_mm (m,) to the mesh of the points that met it, signed.

    covariance (6, 6) of a small motion of the part in its own frame, rad and mm; matched: fraction.
    """

    base_from_part: Transform
    distances_mm: Array
    covariance: Array
    matched: float

    @property
    def rms_mm(self) -> float:
        """Robust: 1.48 times the median distance."""
        return float(1.4826 * np.median(np.abs(self.distances_mm)))


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


def place_part(scan: Surface, mesh: Surface, start: Transform | None) -> Placed:
    """base_from_part from a scan in the base's frame, mm.

    start: roughly where it stands; None: anywhere on a level table. Raises CalibrationError.
    """
    tree = cKDTree(mesh.points)
    starts = [start] if start is not None else _starts(scan, mesh)
    rough = [_slide(_some(scan, ROUGH_POINTS), mesh, tree, pose, ROUGH_MM) for pose in starts]
    best = max(rough, key=lambda pose: _overlap(_some(scan, ROUGH_POINTS), mesh, tree, pose))
    fine = _some(scan, FINE_POINTS)
    pose = _slide(fine, mesh, tree, best, FINE_MM)
    rows, matched = _rows(fine, mesh, tree, pose, GATE)
    on_part = _above_table(fine.points, mesh, pose)
    share = float((matched & on_part).sum() / max(1, on_part.sum()))
    if len(rows) < MIN_MATCHED or share < LEAST_MATCHED:
        raise CalibrationError(
            f"only {share:.0%} of the scanned points above the table lie on the CAD: is it this "
            "part, in mm, and does --start say roughly where it stands?"
        )
    weights = _weights(rows[:, 0], FINE_MM[-1])
    hessian = (rows[:, 1:] * weights[:, None]).T @ rows[:, 1:]
    information = min(1.0, PATCHES / len(rows)) / NOISE_MM**2
    return Placed(pose, rows[:, 0], np.asarray(np.linalg.inv(hessian * information)), share)


def _slide(
    scan: Surface, mesh: Surface, tree: cKDTree, pose: Transform, scales_mm: tuple[float, ...]
) -> Transform:
    for scale_mm in scales_mm:
        rows, _ = _rows(scan, mesh, tree, pose, GATE * scale_mm)
        if len(rows) < MIN_MATCHED:
            break
        weights = _weights(rows[:, 0], scale_mm)
        weighted = rows[:, 1:] * weights[:, None]
        hessian = weighted.T @ rows[:, 1:] + 1e-9 * np.eye(6)
        pose = pose @ motion(-np.linalg.solve(hessian, weighted.T @ rows[:, 0]))
    return pose


def _rows(
    scan: Surface, mesh: Surface, tree: cKDTree, pose: Transform, gate_mm: float
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Distance and derivative by a small motion of the part (m, 7), and which points matched."""
    part_from_base = inverse(pose[None])[0]
    points = apply(part_from_base, scan.points)
    normals = scan.normals @ part_from_base[:3, :3].T
    apart, nearest = tree.query(points, distance_upper_bound=gate_mm)
    met = np.isfinite(apart)
    nearest = np.where(met, nearest, 0)
    met &= (normals * mesh.normals[nearest]).sum(axis=1) > AGREE
    normal, point = mesh.normals[nearest[met]], points[met]
    distance = (normal * (point - mesh.points[nearest[met]])).sum(axis=1)
    # the part moves by x: the point moves by -x in the part's frame
    rows = np.column_stack([distance, -np.cross(point, normal), -normal])
    return rows, met


def _weights(distances: Array, scale_mm: float) -> Array:
    share = scale_mm**2 / (scale_mm**2 + distances**2)
    return np.asarray(share**2)


def _overlap(scan: Surface, mesh: Surface, tree: cKDTree, pose: Transform) -> float:
    rows, _ = _rows(scan, mesh, tree, pose, GATE * ROUGH_MM[-1])
    return float(_weights(rows[:, 0], 1.0).sum())


def _starts(scan: Surface, mesh: Surface) -> list[Transform]:
    """Upright on the table, in the middle of what stands on it, turned in equal steps."""
    height = scan.points[:, 2]
    bins = np.arange(height.min(), height.max() + 2 * TABLE_BIN_MM, TABLE_BIN_MM)
    level = scan.normals[:, 2] > 0.95
    counts, edges = np.histogram(height[level] if level.any() else height, bins)
    table_mm = float(edges[counts.argmax()] + TABLE_BIN_MM / 2)
    standing = scan.points[height > table_mm + ABOVE_TABLE_MM]
    if len(standing) < MIN_MATCHED:
        standing = scan.points
        table_mm = float(height.min())
    low, high = np.percentile(standing[:, :2], [2, 98], axis=0)
    middle = np.array([*(low + high) / 2, table_mm - mesh.points[:, 2].min()])
    own = np.array([*(mesh.points.min(axis=0) + mesh.points.max(axis=0))[:2] / 2, 0.0])
    return [_turned(middle, own, 2 * np.pi * number / TURNS) for number in range(TURNS)]


def _turned(middle: Array, own: Array, angle: float) -> Transform:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec([0, 0, angle]).as_matrix()
    pose[:3, 3] = middle - pose[:3, :3] @ own
    return pose


def _above_table(points: Array, mesh: Surface, pose: Transform) -> npt.NDArray[np.bool_]:
    height = apply(inverse(pose[None])[0], points)[:, 2] - mesh.points[:, 2].min()
    return np.asarray(height > ABOVE_TABLE_MM)


def _some(scan: Surface, count: int) -> Surface:
    every = max(1, len(scan.points) // count)
    return Surface(scan.points[::every], scan.normals[::every])
