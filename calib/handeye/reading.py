"""Which form are the robot's poses in? Asked of the data: a wrong guess leaves a large residual.

Whatever X and Z are, the camera and the mount turn by equal angles between two poses (their
relative motions are conjugate). That screens rotations without solving anything; what passes is
solved for and compared by how far the poses put the board's points from each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from voxgate.calib.handeye.consensus import consensus
from voxgate.calib.handeye.motions import MIN_POSES, turns
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, rotation_deg
from voxgate.calib.robot_poses.pose_forms import UNIT_MM, PoseForm, flanges, forms_for

SCREEN = 0.3  # quantile of the pairs: with a third of the poses wrong, half of the pairs are
PASS_DEG, PASS_RATIO = 0.3, 4.0
MAX_SHIFT = 3
SHIFTS_SOLVED = 3  # two conventions may turn by the same angles
SAMPLES = 40  # with a third of the poses wrong, eight of them are of good poses


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the poses, and what it leaves: gap_mm, median over the poses.

    shift: picture i belongs to row i + shift.
    """

    form: PoseForm
    eye_in_hand: bool
    shift: int
    gap_mm: float

    def __str__(self) -> str:
        place = "the camera on the robot" if self.eye_in_hand else "the camera beside the robot"
        rows = f", rows shifted by {self.shift}" if self.shift else ""
        return f"{self.form}, {place}{rows}"


def judge(
    numbers: Array, form: PoseForm, eye_in_hand: bool, seen: Array, points_mm: Array
) -> Reading:
    """What one form leaves; infinite where the numbers cannot be poses of it.

    numbers (n, k): rows as read; seen (n, 4, 4): camera_from_board of the same pictures.
    """
    return replace(
        Reading(form, eye_in_hand, 0, np.inf),
        gap_mm=_gap(poses_as(numbers, form), eye_in_hand, seen, points_mm),
    )


def best_readings(
    numbers: Array, asked: Sequence[PoseForm], seen: Array, points_mm: Array, eye_in_hand: bool
) -> list[Reading]:
    """Ways to read the poses that fit the pictures, the best first; at most a dozen are solved.

    asked: forms that may be meant, empty: all that have so many columns.
    """
    candidates = list(asked) or forms_for(numbers.shape[1])
    found = [
        judge(numbers, each, in_hand, seen, points_mm)
        for rotation in _screened(numbers, candidates, seen)
        for each, in_hand in _variants(rotation, candidates, eye_in_hand)
    ]
    return sorted(found, key=lambda reading: reading.gap_mm)


def shifted(numbers: Array, seen: Array, points_mm: Array, eye_in_hand: bool) -> Reading | None:
    """The best of reading the pictures, in any form, against rows that stand a few lines off.

    Only where the angles between poses agree is anything solved.
    """
    found: list[Reading] = []
    for _, shift, form in _shifts(numbers, seen)[:SHIFTS_SOLVED]:
        rows, views = _overlap(len(seen), shift)
        units = [replace(form, unit=unit) for unit in UNIT_MM]
        best = best_readings(numbers[rows], units, seen[views], points_mm, eye_in_hand)[:1]
        found += [replace(each, shift=shift) for each in best]
    return min(found, key=lambda reading: reading.gap_mm, default=None)


def slipped_by(numbers: Array, seen: Array, most_deg: float) -> int | None:
    """By how many rows the pictures are off, where the turns agree so; None where they do not."""
    tried = _shifts(numbers, seen)
    return tried[0][1] if tried and tried[0][0] <= most_deg else None


def _shifts(numbers: Array, seen: Array) -> list[tuple[float, int, PoseForm]]:
    """Rows against pictures a few lines off: how much the turns differ, deg, the least first."""
    tried = []
    for shift in (each for each in range(-MAX_SHIFT, MAX_SHIFT + 1) if each):
        rows, views = _overlap(len(seen), shift)
        if rows.stop - rows.start > MIN_POSES:
            screened = rotation_gaps(numbers[rows], forms_for(numbers.shape[1]), seen[views])
            tried += [(gap, shift, form) for gap, form in screened[:2]]
    return sorted(tried, key=lambda each: each[0])


def _overlap(count: int, shift: int) -> tuple[slice, slice]:
    """Rows and pictures that belong together when picture i has row i + shift."""
    low, high = max(0, -shift), min(count, count - shift)
    return slice(low + shift, high + shift), slice(low, high)


def angle_gap_deg(poses: Array, seen: Array) -> float:
    """By how much the turns of camera and flange between two poses differ, for most pairs."""
    first, second = np.triu_indices(len(poses), 1)
    flange = rotation_deg(inverse(poses[first]) @ poses[second])
    camera = rotation_deg(seen[first] @ inverse(seen[second]))
    return float(np.quantile(np.abs(flange - camera), SCREEN))


def _screened(numbers: Array, candidates: Sequence[PoseForm], seen: Array) -> list[PoseForm]:
    gaps = rotation_gaps(numbers, candidates, seen)
    limit = max(PASS_DEG, PASS_RATIO * min((gap for gap, _ in gaps), default=0.0))
    return [form for gap, form in gaps if gap <= limit][:3]


def rotation_gaps(
    numbers: Array, candidates: Sequence[PoseForm], seen: Array
) -> list[tuple[float, PoseForm]]:
    """By how much the numbers' turns, in every rotation that they can be, differ from those of the
    pictures, deg, the least first."""
    rotations = {(form.rotation, form.degrees): replace(form, unit="mm") for form in candidates}
    poses = [(form, poses_as(numbers, form)) for form in rotations.values()]
    gaps = [(angle_gap_deg(each, seen), form) for form, each in poses if each is not None]
    return sorted(gaps, key=lambda pair: pair[0])


def _variants(
    form: PoseForm, candidates: Sequence[PoseForm], eye_in_hand: bool
) -> Iterator[tuple[PoseForm, bool]]:
    """All units that may be meant; the inverse shows as the other place of the camera."""
    for unit in dict.fromkeys(each.unit for each in candidates):
        for in_hand in (eye_in_hand, not eye_in_hand):
            yield replace(form, unit=unit), in_hand


def poses_as(numbers: Array, form: PoseForm) -> Array | None:
    """(n, 4, 4), or None where the numbers are no poses of that form."""
    try:
        return flanges(numbers, form)
    except ValueError:
        return None


def _gap(poses: Array | None, eye_in_hand: bool, seen: Array, points_mm: Array) -> float:
    if poses is None or len(poses) < MIN_POSES:
        return np.inf
    mounts = poses if eye_in_hand else inverse(poses)
    if not turns(mounts).enough:
        return np.inf
    return consensus(mounts, seen, points_mm, SAMPLES).median_mm
