"""Where the part stands: a golden scan is laid onto the CAD mesh, point to plane.

Start: a given pose, or the best of many turns about the vertical. Then Gauss-Newton with nearest
points of the mesh whose normals agree; Geman-McClure weights whose scale shrinks, so that what is
not in the CAD (table, clamps, labels) does not pull. Other places where the part could stand are
tried too: one that is as good is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, motion
from voxgate.calib.place.likeness import ABOVE_TABLE_MM, AGREE, Likeness, likeness, on_part
from voxgate.calib.place.rivals import Rival, is_another, rival, turned_about_itself
from voxgate.calib.place.surface import Surface
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform, apply

ROUGH_POINTS, FINE_POINTS, RIVAL_POINTS = 1500, 12_000, 4000
ROUGH_MM = (20.0, 15.0, 10.0, 7.0, 5.0, 4.0, 3.0, 3.0)
FINE_MM = (3.0, 2.0, 1.0, 0.6, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3)
TURNS = 24
FINALISTS = 4  # of the other places, that are looked at closely
GATE = 3.0  # scales; farther points are not of this surface
TABLE_BIN_MM = 2.0
NOISE_MM = 0.1
PATCHES = 300.0  # neighbouring points err alike, and castings differ in shape: so many count
LEAST_MATCHED = 0.2
MIN_MATCHED = 50
OPEN = 1e-7  # of the stiffest direction: the surface leaves it open


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """base_from_part; distances_mm (m,) to the mesh of the points that met it, signed.

    covariance (6, 6) of a small motion of the part in its own frame, rad and mm; rivals: other
    places, the most alike first; open_ways: words for directions that the surface leaves open.
    """

    base_from_part: Transform
    distances_mm: Array
    covariance: Array
    like: Likeness
    rivals: tuple[Rival, ...]
    open_ways: tuple[str, ...]

    @property
    def rms_mm(self) -> float:
        """Robust: 1.48 times the median distance."""
        return float(1.4826 * np.median(np.abs(self.distances_mm)))

    def second_best(self, symmetry_told: bool) -> float:
        """How like the next best place is, over how like this one is; symmetry_told: which of the
        places that the mesh's own symmetry makes equal is meant was said."""
        others = [each for each in self.rivals if not (symmetry_told and each.symmetric)]
        best = max((each.like.score for each in others), default=0.0)
        return best / max(1e-9, self.like.score)


def place_part(scan: Surface, mesh: Surface, start: Transform | None) -> Placed:
    """base_from_part from a scan in the base's frame, mm.

    start: roughly where it stands; None: anywhere on a level table. Raises CalibrationError.
    """
    tree = cKDTree(mesh.points)
    starts = [start] if start is not None else _starts(scan, mesh)
    pose = _settled(scan, mesh, tree, starts)[0]
    fine = scan.some(FINE_POINTS)
    rows, _ = _rows(fine, mesh, tree, pose, GATE)
    part = on_part(fine, mesh, pose)
    like = likeness(fine, mesh, tree, pose, part)
    if len(rows) < MIN_MATCHED or like.matched < LEAST_MATCHED:
        raise CalibrationError(
            f"only {like.matched:.0%} of the scanned points above the table lie on the CAD: is it "
            "this part, in mm, and does --start say roughly where it stands?"
        )
    others = [
        rival(pose, other, likeness(fine, mesh, tree, other, part), mesh, tree)
        for other in _settled(scan, mesh, tree, turned_about_itself(pose, mesh), besides=pose)
    ]
    others.sort(key=lambda each: -each.like.score)
    covariance, open_ways = _certainty(rows, mesh)
    return Placed(pose, rows[:, 0], covariance, like, tuple(others), open_ways)


def _settled(
    scan: Surface,
    mesh: Surface,
    tree: cKDTree,
    starts: list[Transform],
    besides: Transform | None = None,
) -> list[Transform]:
    """Where the starts come to rest, the best first: one, or some places besides a given one."""
    few, fine = (
        scan.some(ROUGH_POINTS),
        scan.some(RIVAL_POINTS if besides is not None else FINE_POINTS),
    )
    rough = [_slide(few, mesh, tree, pose, ROUGH_MM) for pose in starts]
    rough.sort(key=lambda pose: -_overlap(few, mesh, tree, pose))
    found: list[Transform] = []
    for pose in rough:
        known = [*found, *([] if besides is None else [besides])]
        if any(not is_another(other, pose, mesh) for other in known):
            continue
        settled = _slide(fine, mesh, tree, pose, FINE_MM)
        if all(is_another(other, settled, mesh) for other in known):
            found.append(settled)
        if len(found) == (1 if besides is None else FINALISTS):
            break
    return found


def _certainty(rows: Array, mesh: Surface) -> tuple[Array, tuple[str, ...]]:
    """(6, 6) covariance, huge where the surface leaves a direction open, and which those are."""
    weights = _weights(rows[:, 0], FINE_MM[-1])
    hessian = (rows[:, 1:] * weights[:, None]).T @ rows[:, 1:]
    # turns count by what they move at the part's rim: then all six are lengths
    lever_mm = float(np.linalg.norm(np.ptp(mesh.points, axis=0))) / 2
    scale = np.array([1 / lever_mm] * 3 + [1.0] * 3)
    size, axes = np.linalg.eigh(hessian * scale[:, None] * scale)
    free = size < OPEN * size[-1] + 1e-12
    held = np.where(free, OPEN * size[-1] * 1e-3, size)
    information = min(1.0, PATCHES / len(rows)) / NOISE_MM**2
    covariance = (axes / held) @ axes.T * scale[:, None] * scale / information
    return np.asarray(covariance), tuple(_way(axes[:, number]) for number in np.flatnonzero(free))


def _way(axis: Array) -> str:
    turn, shift = axis[:3], axis[3:]
    turning = np.linalg.norm(turn) > np.linalg.norm(shift)
    along = turn if turning else shift
    named = ", ".join(f"{value:+.1f}" for value in along / np.linalg.norm(along))
    return f"{'turn about' if turning else 'slide along'} ({named})"


def _slide(
    scan: Surface, mesh: Surface, tree: cKDTree, pose: Transform, scales_mm: tuple[float, ...]
) -> Transform:
    for scale_mm in scales_mm:
        rows, _ = _rows(scan, mesh, tree, pose, GATE * scale_mm)
        if len(rows) < MIN_MATCHED:
            break
        root = np.sqrt(_weights(rows[:, 0], scale_mm))
        # no step along what the surface leaves open: a plate may be anywhere in its plane
        found = np.linalg.lstsq(rows[:, 1:] * root[:, None], rows[:, 0] * root, rcond=1e-6)[0]
        pose = pose @ motion(-np.asarray(found, np.float64))
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
