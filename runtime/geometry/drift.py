"""Do depth, poses and calibration still agree? Asked of every job, without a board.

Two views of one surface must put it in one place, whatever the part looks like: a defect is on
the part in all of them. If the camera was bumped on the flange, or the hand-eye calibration is
off, they disagree, and in a way that tells by how much: the small motion of the camera on the
flange that would bring all pairs of views together, by point-to-plane least squares with Geman-
McClure weights. Its size at the measured surface is the drift, in mm and in pixels.

What limits it: the robot's own error, 0.03 mm and 0.01 degrees, shows as some 0.1 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.drift_kernels import compare_views, weighted_equations
from voxgate.runtime.geometry.lens import SIZE
from voxgate.runtime.geometry.plane_kernels import fit_planes
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, Drift, View
from voxgate.runtime.transforms import Transform, invert

Array = npt.NDArray[np.float64]

STEP_PX = 8  # of the grid on which surface is sampled
GRID = (slice(STEP_PX // 2, None, STEP_PX),) * 2
MAX_POINTS = 500  # of one view: the robot's error is what limits, not the sensor's noise
GATE_MM = 5.0  # farther apart it is another surface
FACING = 0.3  # least cosine between ray and normal, in both views
SCALES_MM = (2.0, 1.0, 0.5, 0.3, 0.2, 0.2)  # of the robust weights, one per step
NOISE_MM = 0.1  # of one independent patch of surface
PATCHES = 3000.0  # neighbouring points err alike: so many count, however many there are
# prior, one sigma: a camera that still sees the part has not moved farther
PRIOR_MM, PRIOR_DEG = 5.0, 1.0
MIN_ROWS = 300
MAX_SIGMA_MM = 0.1  # beyond it the views do not overlap enough to tell


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    """One view's depth and some points (n, 3) of its surface with normals, camera frame."""

    part_from_camera: Transform
    depth_mm: DepthMap
    points: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32]


class DriftGauge:
    """Takes the views of one part one by one; `measure` at the end."""

    def __init__(self, rays: Rays) -> None:
        shape = rays.x.shape
        self._rays = rays
        self._plane = np.zeros((*shape, 4), np.float32)
        self._grid = np.zeros(shape, np.bool_)
        self._views: list[_Sampled] = []
        self._rows: list[Array] = []  # of views (1, 0), (2, 0), (2, 1), (3, 0), ...

    def clear(self) -> None:
        """Forget the last part."""
        self._views.clear()
        self._rows.clear()

    def add(self, view: View) -> None:
        """Compare one view with all before it. Raises ValueError when it has no depth."""
        if view.depth_mm is None:
            raise ValueError(f"frame {view.frame_id} has no depth to compare")
        sampled = self._sample(view.part_from_camera, view.depth_mm)
        self._rows += [self._compare(sampled, other) for other in self._views]
        self._views.append(sampled)

    def measure(self) -> Drift | None:
        """The drift; None when the views overlap too little to tell."""
        if sum(map(len, self._rows)) < MIN_ROWS:
            return None
        rows = np.concatenate(self._rows)
        points = np.concatenate([view.points for view in self._views]).astype(np.float64)
        twist, covariance = _solve(rows)
        by_twist = displacements(points)
        if sigma_mm(by_twist, covariance) > MAX_SIGMA_MM:
            return None
        moved = by_twist @ twist
        left = rows[:, 0] + rows[:, 1:] @ twist
        return Drift(
            drift_mm=rms(moved),
            drift_px=rms(pixels_moved(moved, points, self._rays)),
            residual_mm=float(1.4826 * np.median(np.abs(left))),
            camera_from_before=motion(twist),
            compared=len(rows),
        )

    def view_disagreement_mm(self) -> list[float]:
        """Median distance of each view's surface from what the others saw; NaN: nothing shared."""
        shared: list[list[Array]] = [[] for _ in self._views]
        pairs = ((new, old) for new in range(len(self._views)) for old in range(new))
        for (new, old), rows in zip(pairs, self._rows, strict=True):
            for view in (new, old):
                shared[view].append(np.abs(rows[:, 0]))
        joined = [np.concatenate([np.empty(0), *each]) for each in shared]
        return [float(np.median(each)) if each.size else float("nan") for each in joined]

    def _sample(self, part_from_camera: Transform, depth_mm: DepthMap) -> _Sampled:
        depth = np.require(depth_mm, np.float32, ["C", "W"])
        self._grid[GRID] = depth[GRID] > 0
        self._plane[GRID] = 0
        fit_planes(depth, self._grid, self._rays.x, self._rays.y, self._plane)
        planes = self._plane[GRID]
        found = np.flatnonzero(planes[..., 2])
        at = found[:: max(1, -(-len(found) // MAX_POINTS))]
        z = depth[GRID].ravel()[at]
        x, y = (plane[GRID].ravel()[at] * z for plane in (self._rays.x, self._rays.y))
        normals = np.ascontiguousarray(planes.reshape(-1, 4)[at, :3])
        return _Sampled(part_from_camera, depth, np.stack([x, y, z], axis=1), normals)

    def _compare(self, view: _Sampled, other: _Sampled) -> Array:
        other_from_view = invert(other.part_from_camera) @ view.part_from_camera
        rows = np.empty((len(view.points), 7))
        count = compare_views(
            view.points,
            view.normals,
            other_from_view,
            np.ascontiguousarray(other_from_view[:3, :3]),
            other.depth_mm,
            self._rays.x,
            self._rays.y,
            self._rays.lens,
            GATE_MM,
            FACING,
            rows,
        )
        return rows[:count]


def warm_up() -> None:
    """Compile (or load) the kernels of this file."""
    one = np.zeros((1, 3), np.float32)
    plane = np.zeros((1, 1), np.float32)
    compare_views(one, one, np.eye(4), np.eye(3), plane, plane, plane, np.zeros(SIZE), 1.0, 0.3,
                  np.zeros((1, 7)))  # fmt: skip
    weighted_equations(np.zeros((1, 7)), np.zeros(6), 1.0, np.zeros((6, 7)))


def _solve(rows: Array) -> tuple[Array, Array]:
    """The camera's small motion (6,) that makes the views agree, and its covariance."""
    prior = np.diag(1 / np.repeat([np.radians(PRIOR_DEG), PRIOR_MM], 3) ** 2)
    information = min(1.0, PATCHES / len(rows)) / NOISE_MM**2
    twist = np.zeros(6)
    system = np.empty((6, 7))
    hessian = prior
    for scale_mm in SCALES_MM:
        weighted_equations(rows, twist, scale_mm, system)
        hessian = information * system[:, :6] + prior
        slope = information * system[:, 6] + prior @ twist
        twist = twist - np.linalg.solve(hessian, slope)
    return twist, np.asarray(np.linalg.inv(hessian))


def displacements(points: Array) -> Array:
    """(n, 3, 6): how points (n, 3) of the camera frame move with the camera's small motion."""
    x, y, z = points.T
    zero = np.zeros_like(x)
    turn = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=1).reshape(-1, 3, 3)
    shift = np.broadcast_to(np.eye(3), turn.shape)
    return np.concatenate([turn, shift], axis=2)


def sigma_mm(by_twist: Array, covariance: Array) -> float:
    """How sure the displacements (n, 3, 6) of a twist are, root of the mean square."""
    # the mean trace of B C B^T, as the trace of C times that of B^T B
    flat = by_twist.reshape(-1, 6)
    return float(np.sqrt((covariance * (flat.T @ flat)).sum() / len(by_twist)))


def pixels_moved(moved: Array, points: Array, rays: Rays) -> Array:
    """(n, 2) of points (n, 3) of the camera frame, displaced by `moved` (n, 3), mm."""
    return rays.project(points + moved) - rays.project(points)


def rms(vectors: Array) -> float:
    """Of the lengths of vectors (n, k)."""
    return float(np.sqrt((vectors**2).sum(axis=1).mean()))


def motion(twist: Array) -> Transform:
    """To first order, as the fit is; made orthonormal."""
    x, y, z = twist[:3]
    moved = np.eye(4)
    u, _, vt = np.linalg.svd(np.array([[1, -z, y], [z, 1, -x], [-y, x, 1.0]]))
    moved[:3, :3] = u @ vt
    moved[:3, 3] = twist[3:]
    return moved
