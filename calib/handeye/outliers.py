"""Why does this pose not fit the others? The usual mistakes, tried on its row of numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, rotation_deg
from voxgate.calib.robot_poses.pose_forms import PoseForm, flanges, forms_for
from voxgate.runtime.transforms import Transform

CLOSE_MM, CLOSE_DEG = 2.0, 0.5
CLOSER = 5.0  # an explanation must fit so many times better than the row itself


@dataclass(frozen=True, slots=True)
class OutlierPose:
    """A pose that was left out: how far off it is, and why, if that can be said."""

    name: str
    off_mm: float
    off_deg: float
    why: str

    def __str__(self) -> str:
        return f"{self.name}: off by {self.off_mm:.2f} mm, {self.off_deg:.2f} deg: {self.why}"


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """The flange (v, 4, 4) at which each picture was taken, by the poses that agree."""

    flanges: Array

    @classmethod
    def of(cls, x: Transform, z: Transform, seen: Array, eye_in_hand: bool) -> Expected:
        """From X, Z and camera_from_board (v, 4, 4)."""
        mounts = z @ inverse(seen) @ inverse(x)
        return cls(mounts if eye_in_hand else inverse(mounts))


def explain(
    view: int,
    names: tuple[str, ...],
    poses: Array,
    expected: Expected,
    numbers: Array | None = None,
    form: PoseForm | None = None,
) -> OutlierPose:
    """What is wrong with pose `view`. numbers (v, k): the rows as read, in the given form."""
    wanted = expected.flanges[view]
    off_mm, off_deg = _off(poses[view], wanted)
    why = (
        _other_row(view, names, poses, expected)
        or _other_form(poses[view], wanted, None if numbers is None else numbers[view], form)
        or "the robot still moved, the board was touched, or the row was mistyped"
    )
    return OutlierPose(names[view], off_mm, off_deg, why)


def _other_row(view: int, names: tuple[str, ...], poses: Array, expected: Expected) -> str | None:
    limit = _limits(poses[view], expected.flanges[view])
    for other in range(len(poses)):
        if other != view and _fits(poses[other], expected.flanges[view], limit):
            swapped = _fits(poses[view], expected.flanges[other], limit)
            both = "its row and that of" if swapped else "it was taken at the pose of"
            ends = " are exchanged" if swapped else ""
            return f"{both} {names[other]}{ends}"
    return None


def _other_form(
    pose: Transform, wanted: Transform, row: Array | None, form: PoseForm | None
) -> str | None:
    limit = _limits(pose, wanted)
    for factor, unit in ((1000.0, "m"), (0.001, "mm"), (10.0, "cm"), (25.4, "inches")):
        scaled = pose.copy()
        scaled[:3, 3] *= factor
        if _fits(scaled, wanted, limit):
            return f"its position is in {unit}"
    if _fits(inverse(pose[None])[0], wanted, limit):
        return "its transform is inverted"
    if row is None or form is None:
        return None
    for other in forms_for(len(row)):
        tried = _read(row, replace(other, inverted=form.inverted))
        if other != form and tried is not None and _fits(tried, wanted, limit):
            return f"it is given as {other}"
    return None


def _read(row: Array, form: PoseForm) -> Transform | None:
    try:
        return np.asarray(flanges(row[None], form)[0])
    except ValueError:
        return None


def _off(pose: Transform, wanted: Transform) -> tuple[float, float]:
    turn = rotation_deg((inverse(wanted[None])[0] @ pose)[None])[0]
    return float(np.linalg.norm(pose[:3, 3] - wanted[:3, 3])), float(turn)


def _limits(pose: Transform, wanted: Transform) -> tuple[float, float]:
    off_mm, off_deg = _off(pose, wanted)
    return max(CLOSE_MM, 0.0), min(CLOSE_DEG, max(0.05, max(off_deg, off_mm / 5) / CLOSER))


def _fits(pose: Transform, wanted: Transform, limit: tuple[float, float]) -> bool:
    off_mm, off_deg = _off(pose, wanted)
    return off_mm <= limit[0] and off_deg <= limit[1]
