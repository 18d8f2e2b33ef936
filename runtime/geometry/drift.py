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

from voxgate.runtime.geometry.drift_kernels import (
    compare_views,
    sample_surface,
    weighted_equations,
)
from voxgate.runtime.geometry.lens import SIZE
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, Drift, View
from voxgate.runtime.transforms import Transform, invert

Array = npt.NDArray[np.float64]

STEP_PX = 8  # of the grid on which surface is sampled
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
    """One view's depth and some points (n, 3) of its surface with normals, camera frame.

    pixels: (n, 2) at which the camera sees them.
    """

    part_from_camera: Transform
    depth_mm: DepthMap
    points: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32]
    pixels: Array


class DriftGauge:
    """Takes the views of one part one by one; `measure` at the end."""

    def __init__(self, rays: Rays) -> None:
        self._rays = rays
        self._views: list[_Sampled] = []
        # a column per point that another view saw too: of views (1, 0), (2, 0), (2, 1), (3, 0), ...
        self._rows = np.empty((7, 0))
        self._ends: list[int] = []
        self._spread = np.zeros((6, 6))  # how far all points move with the camera, squared

    def clear(self) -> None:
        """Forget the last part."""
        self._views.clear()
        self._ends.clear()
        self._spread[:] = 0

    def add(self, view: View) -> None:
        """Compare one view with all before it. Raises ValueError when it has no depth."""
        if view.depth_mm is None:
            raise ValueError(f"frame {view.frame_id} has no depth to compare")
        sampled = self._sample(view.part_from_camera, view.depth_mm)
        self._make_room(len(sampled.points) * len(self._views))
        for other in self._views:
            self._ends.append(self._compare(sampled, other))
        self._views.append(sampled)
        self._spread += spread(displacements(sampled.points.astype(np.float64)))

    def measure(self, partly: bool = False) -> Drift | None:
        """The drift; None when the views overlap too little to tell.

        partly: also of the motions alone that they do tell, where they do not tell all: views from
        one height around an axis say nothing of a turn about it, but all of a shift across it. The
        camera may have moved further then.
        """
        rows = self._rows[:, : self._compared]
        if self._compared < MIN_ROWS:
            return None
        points = np.concatenate([view.points for view in self._views]).astype(np.float64)
        twist, covariance = _solve(self._rows, self._compared)
        share = 1.0
        if sigma_mm(self._spread, len(points), covariance) > MAX_SIGMA_MM:
            known = _known(covariance, self._spread / len(points)) if partly else None
            if known is None:
                return None
            twist, share = known.part_of(twist), known.share
        moved = self._rays.project(points + np.cross(twist[:3], points) + twist[3:])
        left = rows[0] + twist @ rows[1:]
        return Drift(
            drift_mm=float(np.sqrt(twist @ self._spread @ twist / len(points))),
            drift_px=rms(moved - np.concatenate([view.pixels for view in self._views])),
            residual_mm=float(1.4826 * np.median(np.abs(left))),
            camera_from_before=motion(twist),
            compared=self._compared,
            told=share,
        )

    def view_disagreement_mm(self) -> list[float]:
        """Median distance of each view's surface from what the others saw; NaN: nothing shared."""
        shared: list[list[Array]] = [[] for _ in self._views]
        pairs = ((new, old) for new in range(len(self._views)) for old in range(new))
        distances = np.split(np.abs(self._rows[0, : self._compared]), self._ends)
        for pair, distance in zip(pairs, distances, strict=False):
            for view in pair:
                shared[view].append(distance)
        joined = [np.concatenate([np.empty(0), *each]) for each in shared]
        return [float(np.median(each)) if each.size else float("nan") for each in joined]

    @property
    def _compared(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _make_room(self, columns: int) -> None:
        """For so many more; the last part's memory is used again."""
        needed = self._compared + columns
        if needed > self._rows.shape[1]:
            grown = np.empty((7, 2 * needed))
            grown[:, : self._compared] = self._rows[:, : self._compared]
            self._rows = grown

    def _sample(self, part_from_camera: Transform, depth_mm: DepthMap) -> _Sampled:
        depth = np.require(depth_mm, np.float32, ["C", "W"])
        points, normals = np.empty((2, MAX_POINTS, 3), np.float32)
        count = sample_surface(depth, self._rays.x, self._rays.y, STEP_PX, points, normals)
        pixels = self._rays.project(points[:count].astype(np.float64))
        return _Sampled(part_from_camera, depth, points[:count], normals[:count], pixels)

    def _compare(self, view: _Sampled, other: _Sampled) -> int:
        """The number of the next free column."""
        other_from_view = invert(other.part_from_camera) @ view.part_from_camera
        return int(
            compare_views(
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
                self._compared,
                self._rows,
            )
        )


def warm_up() -> None:
    """Compile (or load) the kernels of this file."""
    one = np.zeros((1, 3), np.float32)
    plane = np.zeros((1, 1), np.float32)
    rows = np.zeros((7, 1))
    sample_surface(plane, plane, plane, STEP_PX, one, one)
    compare_views(one, one, np.eye(4), np.eye(3), plane, plane, plane, np.zeros(SIZE), 1.0, 0.3,
                  0, rows)  # fmt: skip
    weighted_equations(rows, 1, np.zeros(6), 1.0, np.zeros((6, 7)))


def _solve(rows: Array, count: int) -> tuple[Array, Array]:
    """The camera's small motion (6,) that makes the views agree, and its covariance."""
    prior = np.diag(1 / np.repeat([np.radians(PRIOR_DEG), PRIOR_MM], 3) ** 2)
    information = min(1.0, PATCHES / count) / NOISE_MM**2
    twist = np.zeros(6)
    system = np.empty((6, 7))
    hessian = prior
    for scale_mm in SCALES_MM:
        weighted_equations(rows, count, twist, scale_mm, system)
        hessian = information * system[:, :6] + prior
        slope = information * system[:, 6] + prior @ twist
        twist = twist - np.linalg.solve(hessian, slope)
    return twist, np.asarray(np.linalg.inv(hessian))


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """The motions that the views tell: ways (6, k) in which displacements have the rms of their
    coordinates; root (6, 6) leads there."""

    root: Array
    ways: Array

    @property
    def share(self) -> float:
        """How much of a motion's size lies in them, rms over all motions of one size."""
        return float(np.sqrt(self.ways.shape[1] / len(self.root)))

    def part_of(self, twist: Array) -> Array:
        """(6,) of a motion what lies in them."""
        within = self.ways @ (self.ways.T @ (self.root.T @ twist))
        return np.asarray(np.linalg.solve(self.root.T, within))


def _known(covariance: Array, squares: Array) -> _Known | None:
    """What is known to MAX_SIGMA_MM, rms over the points that a twist moves by `squares` (6, 6);
    None: nothing is."""
    root = np.asarray(np.linalg.cholesky(squares), np.float64)
    variances, ways = np.linalg.eigh(root.T @ covariance @ root)
    known = ways[:, np.cumsum(variances) <= MAX_SIGMA_MM**2]
    return _Known(root, known) if known.size else None


def displacements(points: Array) -> Array:
    """(n, 3, 6): how points (n, 3) of the camera frame move with the camera's small motion."""
    x, y, z = points.T
    zero = np.zeros_like(x)
    turn = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=1).reshape(-1, 3, 3)
    shift = np.broadcast_to(np.eye(3), turn.shape)
    return np.concatenate([turn, shift], axis=2)


def spread(by_twist: Array) -> Array:
    """(6, 6) the sum over displacements (n, 3, 6) of their squares."""
    flat = by_twist.reshape(-1, 6)
    return np.asarray(flat.T @ flat)


def sigma_mm(squares: Array, count: int, covariance: Array) -> float:
    """How sure the displacements of `count` points by a twist are, root of the mean square."""
    # the mean trace of B C B^T, as the trace of C times the sum of B^T B
    return float(np.sqrt((covariance * squares).sum() / count))


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
