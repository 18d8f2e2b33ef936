"""Which form are the robot's poses in? Asked of the data: a wrong guess leaves a large residual.

Whatever X and Z are, the camera and the mount turn by equal angles between two poses (their
relative motions are conjugate). That screens rotations without solving anything; what passes is
solved for and compared by how far the poses put the board's points from each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from voxgate.calib.handeye.consensus import HOPELESS_MM, consensus
from voxgate.calib.handeye.motions import MIN_POSES, turns
from voxgate.calib.handeye.scale import lengths, other_scale
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.lengths import in_another_unit
from voxgate.calib.numerics.twist import inverse, rotation_deg
from voxgate.calib.robot_poses.pose_forms import PoseForm, flanges, forms_for
from voxgate.runtime.errors import CalibrationError

SCREEN = 0.3  # quantile of the pairs: with a third of the poses wrong, half of the pairs are
PASS_DEG, PASS_RATIO = 0.3, 4.0
CLEARLY = 3.0  # times better, to overrule or to be chosen
GOOD_MM = 1.0  # a form that leaves less needs no better one
MAX_SHIFT = 3
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
        gap_mm=_gap(_poses(numbers, form), eye_in_hand, seen, points_mm),
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


def shifted(
    numbers: Array, form: PoseForm, eye_in_hand: bool, seen: Array, points_mm: Array
) -> Reading | None:
    """The best of reading the pictures against rows that stand a few lines off."""
    poses = _poses(numbers, form)
    if poses is None:
        return None
    found = []
    for shift in range(-MAX_SHIFT, MAX_SHIFT + 1):
        low, high = max(0, -shift), min(len(seen), len(seen) - shift)
        if shift and high - low > MIN_POSES:
            gap_mm = _gap(poses[low + shift : high + shift], eye_in_hand, seen[low:high], points_mm)
            found.append(Reading(form, eye_in_hand, shift, gap_mm))
    return min(found, key=lambda reading: reading.gap_mm, default=None)


def choose(
    numbers: Array, asked: Sequence[PoseForm], eye_in_hand: bool, seen: Array, points_mm: Array
) -> Reading:
    """The form to read the poses in: the one that was asked for if the pictures agree, or the only
    one that fits. Raises CalibrationError where another fits clearly better, several do, or none.
    """
    if len(asked) == 1:
        return _checked(numbers, asked[0], eye_in_hand, seen, points_mm)
    found = best_readings(numbers, asked, seen, points_mm, eye_in_hand)
    own = [reading for reading in found if reading.eye_in_hand == eye_in_hand]
    if not own:
        raise CalibrationError(
            f"rows of {numbers.shape[1]} numbers are no poses of the form that was asked for"
        )
    if not np.isfinite(own[0].gap_mm) and not turns(inverse(seen)).enough:
        return own[0]  # the motions are too few to tell: whoever solves says which are missing
    _refuse_other_scale(own[0], found[0], numbers, seen, points_mm)
    _refuse_if_better(own[0], found[0])
    if own[0].gap_mm > HOPELESS_MM:
        _refuse_if_better(own[0], shifted(numbers, own[0].form, eye_in_hand, seen, points_mm))
        raise CalibrationError(_nothing_fits(own[0]))
    rivals = [reading for reading in own[1:] if reading.gap_mm < CLEARLY * own[0].gap_mm]
    if rivals:
        raise CalibrationError(
            f"the poses may be {own[0].form} or {rivals[0].form} "
            f"({own[0].gap_mm:.2f} and {rivals[0].gap_mm:.2f} mm): "
            f"say which, for instance {own[0].form.options}"
        )
    return own[0]


def _checked(
    numbers: Array, form: PoseForm, eye_in_hand: bool, seen: Array, points_mm: Array
) -> Reading:
    try:
        flanges(numbers, form)
    except ValueError as error:
        raise CalibrationError(f"poses read as {form}: {error}") from error
    own = judge(numbers, form, eye_in_hand, seen, points_mm)
    too_few = not np.isfinite(own.gap_mm) and not turns(inverse(seen)).enough
    if own.gap_mm <= GOOD_MM or too_few:
        return own
    others = best_readings(numbers, (), seen, points_mm, eye_in_hand)
    _refuse_other_scale(own, others[0] if others else None, numbers, seen, points_mm)
    for other in (*others[:1], shifted(numbers, form, eye_in_hand, seen, points_mm)):
        _refuse_if_better(own, other)
    if own.gap_mm > HOPELESS_MM:
        raise CalibrationError(_nothing_fits(own))
    return own


def _refuse_if_better(own: Reading, other: Reading | None) -> None:
    if not _better(own, other):
        return
    assert other is not None
    if other.shift:
        raise CalibrationError(
            f"poses and pictures are {abs(other.shift)} rows apart: read so, {other.gap_mm:.2f} mm "
            f"are left instead of {own.gap_mm:.2f}; delete the surplus row or picture"
        )
    what = other.form.options
    if other.eye_in_hand != own.eye_in_hand:
        place = "robot" if other.eye_in_hand else "cell"
        flipped = replace(other.form, inverted=not other.form.inverted)
        what = f"{flipped.options} if the poses are inverted, or --camera-on {place}"
    left = f"leave {own.gap_mm:.2f} mm" if np.isfinite(own.gap_mm) else "hardly turn"
    raise CalibrationError(
        f"poses read as {own} {left}, as {other} only {other.gap_mm:.2f}: "
        f"if that is how they are meant, say {what}"
    )


def _better(own: Reading, other: Reading | None) -> bool:
    return other is not None and other != own and other.gap_mm * CLEARLY < own.gap_mm


def _refuse_other_scale(
    own: Reading, other: Reading | None, numbers: Array, seen: Array, points_mm: Array
) -> None:
    """Before another unit is advised: no cell may be as small as that unit would make it."""
    poses = _poses(numbers, own.form)
    if poses is None or own.gap_mm <= GOOD_MM:
        return
    if other is not None and _better(own, other):
        as_other = _poses(numbers, other.form)
        if as_other is not None and not in_another_unit(lengths(as_other, seen)):
            return
    words = other_scale(poses, own.eye_in_hand, seen, points_mm, own.gap_mm)
    if words is not None:
        raise CalibrationError(f"poses read as {own}: {words}")


def _nothing_fits(own: Reading) -> str:
    left = f"leave {own.gap_mm:.0f} mm" if np.isfinite(own.gap_mm) else "hardly turn"
    return (
        f"poses and pictures do not belong together: read as {own} they {left}, "
        "and no other form, unit or order does better; are the rows in the pictures' order, is the "
        "board still, is it this board?"
    )


def angle_gap_deg(poses: Array, seen: Array) -> float:
    """By how much the turns of camera and flange between two poses differ, for most pairs."""
    first, second = np.triu_indices(len(poses), 1)
    flange = rotation_deg(inverse(poses[first]) @ poses[second])
    camera = rotation_deg(seen[first] @ inverse(seen[second]))
    return float(np.quantile(np.abs(flange - camera), SCREEN))


def _screened(numbers: Array, candidates: Sequence[PoseForm], seen: Array) -> list[PoseForm]:
    rotations = {(form.rotation, form.degrees): replace(form, unit="mm") for form in candidates}
    gaps = []
    for form in rotations.values():
        poses = _poses(numbers, form)
        if poses is not None:
            gaps.append((angle_gap_deg(poses, seen), form))
    limit = max(PASS_DEG, PASS_RATIO * min((gap for gap, _ in gaps), default=0.0))
    passed = sorted((pair for pair in gaps if pair[0] <= limit), key=lambda pair: pair[0])
    return [form for _, form in passed[:3]]


def _variants(
    form: PoseForm, candidates: Sequence[PoseForm], eye_in_hand: bool
) -> Iterator[tuple[PoseForm, bool]]:
    """All units that may be meant; the inverse shows as the other place of the camera."""
    for unit in dict.fromkeys(each.unit for each in candidates):
        for in_hand in (eye_in_hand, not eye_in_hand):
            yield replace(form, unit=unit), in_hand


def _poses(numbers: Array, form: PoseForm) -> Array | None:
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
