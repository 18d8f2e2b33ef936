"""Where the camera was between two robot poses, and how wrong that can be.

Position linear, rotation slerp, between the poses that bracket the instant; outside them there is
no answer. The error has two parts: the instant is known only within a residual (how far did the
camera move in that window?), and the path between two samples is not a straight line (how much
does it bend?).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime import rotations
from voxgate.runtime.geometry.mounting import Mounting
from voxgate.runtime.nouns import Pose
from voxgate.runtime.transforms import Transform

Transforms = npt.NDArray[np.float64]
"""(n, 4, 4) float64 rigid transforms."""

# A path with second derivative a lies within a * h^2 / 8 of its chord over h. The derivative is
# taken from samples, which average it; twice that covers what changes between them.
BEND_SAFETY = 2.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A camera pose and how far any point near the part's origin may be off because of it."""

    part_from_camera: Transform
    uncertainty_mm: float


def interpolated(poses: Sequence[Pose], t_robot_ns: Sequence[int]) -> Transforms:
    """base_from_flange (n, 4, 4) at instants between the first and the last of >= 2 poses.

    Raises ValueError for an instant outside: nothing is ever extrapolated.
    """
    start_ns, end_ns = poses[0].t_robot_ns, poses[-1].t_robot_ns
    if not all(start_ns <= t_ns <= end_ns for t_ns in t_robot_ns):
        raise ValueError("poses are interpolated, never extrapolated: an instant lies outside")
    at = np.array([t_ns - start_ns for t_ns in t_robot_ns], dtype=np.float64)
    times = np.array([pose.t_robot_ns - start_ns for pose in poses], dtype=np.float64)
    known = np.stack([pose.base_from_flange for pose in poses])
    base_from_flange = np.tile(np.eye(4), (len(at), 1, 1))
    for axis in range(3):
        base_from_flange[:, axis, 3] = np.interp(at, times, known[:, axis, 3])
    turns = rotations.matrices(rotations.quaternions(known[:, :3, :3]))  # what is rigid within 1e-4
    base_from_flange[:, :3, :3] = rotations.interpolated(at, times, turns)
    return base_from_flange


def place(
    poses: Sequence[Pose],
    t_robot_ns: int,
    residual_ns: int,
    mounting: Mounting,
) -> Placed:
    """The camera at `t_robot_ns`, known within +-`residual_ns`, from the poses around that window.

    `poses`: one before the window's bracket, the bracket and all between, one after it. The
    uncertainty is the camera's largest way within the window, plus its turn times the distance to
    the part's origin, plus what the path may bend between samples.
    """
    start_ns, end_ns = t_robot_ns - residual_ns, t_robot_ns + residual_ns
    inside = [p.base_from_flange for p in poses if start_ns < p.t_robot_ns < end_ns]
    flange = np.concatenate(
        [interpolated(poses, (t_robot_ns, start_ns, end_ns)), *_stacked(inside)]
    )
    camera = mounting.part_from_camera(flange)
    if mounting.still:
        return Placed(camera[0], 0.0)
    lever_mm = float(np.linalg.norm(camera[0, :3, 3]))
    bend_mm, bend_rad = _bend(poses)
    moved_mm = float(_moved_mm(camera[0], camera[1:], lever_mm).max())
    return Placed(camera[0], moved_mm + bend_mm + bend_rad * mounting.arm_mm(lever_mm))


def _stacked(transforms: list[Transform]) -> list[Transforms]:
    return [np.stack(transforms)] if transforms else []


def _moved_mm(
    estimate: Transform, possible: Transforms, lever_mm: float
) -> npt.NDArray[np.float64]:
    """(n,) mm: how far each possible camera is from the estimate, turns counted at the lever."""
    turns = rotations.vectors(estimate[:3, :3].T @ possible[:, :3, :3])
    turned = np.linalg.norm(turns, axis=1)
    moved = np.linalg.norm(possible[:, :3, 3] - estimate[:3, 3], axis=1)
    distance: npt.NDArray[np.float64] = moved + turned * lever_mm
    return distance


def _bend(poses: Sequence[Pose]) -> tuple[float, float]:
    """Largest distance (mm, rad) of the flange's path from its chords between these samples."""
    step_s = np.diff([pose.t_robot_ns for pose in poses]) * 1e-9
    known = np.stack([pose.base_from_flange for pose in poses])
    velocity = np.diff(known[:, :3, 3], axis=0) / step_s[:, None]
    turns = rotations.vectors(known[:-1, :3, :3].transpose(0, 2, 1) @ known[1:, :3, :3])
    spin = turns / step_s[:, None]
    between_s = (step_s[1:] + step_s[:-1]) / 2
    share = BEND_SAFETY * float(step_s.max()) ** 2 / 8
    return (
        share * float((np.linalg.norm(np.diff(velocity, axis=0), axis=1) / between_s).max()),
        share * float((np.linalg.norm(np.diff(spin, axis=0), axis=1) / between_s).max()),
    )
