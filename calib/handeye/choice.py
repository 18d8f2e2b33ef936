"""The form to read a robot's poses in: asked for, said by the file, or the only one that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from voxgate.calib.board.why_blank import MIRRORED
from voxgate.calib.handeye.consensus import HOPELESS_MM
from voxgate.calib.handeye.mirror import unmirrored
from voxgate.calib.handeye.motions import turns
from voxgate.calib.handeye.reading import (
    MAX_SHIFT,
    Reading,
    best_readings,
    judge,
    poses_as,
    shifted,
)
from voxgate.calib.handeye.scale import lengths, other_scale
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.lengths import in_another_unit
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.robot_poses.pose_forms import PoseForm, flanges, forms_for
from voxgate.calib.robot_poses.rows import NOTHING, Said
from voxgate.runtime.errors import CalibrationError

CLEARLY = 3.0  # times better, to overrule or to be chosen
GOOD_MM = 1.0  # a form that leaves less needs no better one


def choose(
    numbers: Array,
    asked: Sequence[PoseForm],
    eye_in_hand: bool,
    seen: Array,
    points_mm: Array,
    said: Said = NOTHING,
) -> Reading:
    """The form to read the poses in: the one that was asked for if the pictures agree, or the only
    one that fits; of several that fit alike the one that the file itself says.

    Raises CalibrationError where another fits clearly better, several do, or none.
    """
    if len(asked) == 1:
        own = _checked(numbers, asked[0], eye_in_hand, seen, points_mm)
        return own if _too_few(own, seen) else _settled(own, numbers, seen, points_mm)
    found = best_readings(numbers, asked, seen, points_mm, eye_in_hand)
    fitting = [reading for reading in found if reading.eye_in_hand == eye_in_hand]
    if not fitting:
        raise CalibrationError(
            f"rows of {numbers.shape[1]} numbers are no poses of the form that was asked for"
        )
    own = _as_said(fitting, said) or fitting[0]
    if _too_few(fitting[0], seen):
        return own  # the motions are too few to tell: whoever solves says which are missing
    _refuse_other_scale(own, found[0], numbers, seen, points_mm)
    _refuse_if_better(own, found[0])
    own = _settled(own, numbers, seen, points_mm)
    if _as_said(fitting, said) is None:
        _refuse_rivals(own, fitting)
    return own


def says(said: Said, form: PoseForm) -> bool:
    """Whether the form is what the file says, as far as it says anything."""
    return (
        said.rotation in (None, form.rotation)
        and said.unit in (None, form.unit)
        and (said.degrees in (None, form.degrees) or not form.angles)
    )


def _as_said(fitting: Sequence[Reading], said: Said) -> Reading | None:
    """The best of those that fit about as well as any and are what the file says."""
    if said == NOTHING:
        return None
    limit = max(GOOD_MM, CLEARLY * fitting[0].gap_mm)
    alike = (each for each in fitting if each.gap_mm <= limit or not np.isfinite(limit))
    return next((each for each in alike if says(said, each.form)), None)


def _too_few(own: Reading, seen: Array) -> bool:
    return not np.isfinite(own.gap_mm) and not turns(inverse(seen)).enough


def _checked(
    numbers: Array, form: PoseForm, eye_in_hand: bool, seen: Array, points_mm: Array
) -> Reading:
    try:
        flanges(numbers, form)
    except ValueError as error:
        raise CalibrationError(f"poses read as {form}: {error}") from error
    return judge(numbers, form, eye_in_hand, seen, points_mm)


def _settled(own: Reading, numbers: Array, seen: Array, points_mm: Array) -> Reading:
    """The reading itself if it fits. Raises CalibrationError where anything else fits better: every
    form and unit, the other place of the camera, rows that slipped, another scale."""
    if own.gap_mm <= GOOD_MM:
        return own
    others = best_readings(numbers, (), seen, points_mm, own.eye_in_hand)
    _refuse_other_scale(own, others[0] if others else None, numbers, seen, points_mm)
    _refuse_mirrored(own, others, numbers, seen, points_mm)
    for other in (*others[:1], shifted(numbers, seen, points_mm, own.eye_in_hand)):
        _refuse_if_better(own, other)
    if own.gap_mm > HOPELESS_MM:
        _refuse_turn_first(own, numbers, seen, points_mm)
        raise CalibrationError(_nothing_fits(own, numbers))
    return own


def _refuse_turn_first(own: Reading, numbers: Array, seen: Array, points_mm: Array) -> None:
    """Of six numbers nothing else tells that the first three are the rotation."""
    if numbers.shape[1] != 6:
        return
    swapped = np.roll(numbers, 3, axis=1)
    so = best_readings(swapped, (), seen, points_mm, own.eye_in_hand)
    if so and so[0].gap_mm < HOPELESS_MM:
        raise CalibrationError(
            f"the rotation stands before the position: only so the rows fit the pictures, as "
            f"{so[0].form}; write the position first, or a head that names the columns "
            "(rx,ry,rz,x,y,z)"
        )


def _refuse_mirrored(
    own: Reading, others: Sequence[Reading], numbers: Array, seen: Array, points_mm: Array
) -> None:
    """Where the pictures in a mirror fit clearly better than anything fits them as they are."""
    so = best_readings(numbers, (), unmirrored(seen), points_mm, own.eye_in_hand)
    fits = so and so[0].gap_mm < HOPELESS_MM
    if fits and all(_better(each, so[0]) for each in (own, *others[:1])):
        raise CalibrationError(f"{MIRRORED}: only so they fit the poses, read as {so[0]}")


def _refuse_rivals(own: Reading, fitting: Sequence[Reading]) -> None:
    rivals = [each for each in fitting if each != own and each.gap_mm < CLEARLY * own.gap_mm]
    if rivals:
        raise CalibrationError(
            f"the poses may be {own.form} or {rivals[0].form} "
            f"({own.gap_mm:.2f} and {rivals[0].gap_mm:.2f} mm): "
            f"say which, for instance {own.form.options}"
        )


def _refuse_if_better(own: Reading, other: Reading | None) -> None:
    if not _better(own, other):
        return
    assert other is not None
    if other.shift:
        raise CalibrationError(
            f"poses and pictures are {abs(other.shift)} rows apart: read so, as {other.form}, "
            f"{other.gap_mm:.2f} mm are left instead of {own.gap_mm:.2f}; delete the surplus row "
            "or picture"
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
    poses = poses_as(numbers, own.form)
    if poses is None or own.gap_mm <= GOOD_MM:
        return
    if other is not None and _better(own, other):
        as_other = poses_as(numbers, other.form)
        if as_other is not None and not in_another_unit(lengths(as_other, seen)):
            return
    words = other_scale(poses, own.eye_in_hand, seen, points_mm, own.gap_mm)
    if words is not None:
        raise CalibrationError(f"poses read as {own}: {words}")


def _nothing_fits(own: Reading, numbers: Array) -> str:
    left = f"leave {own.gap_mm:.0f} mm" if np.isfinite(own.gap_mm) else "hardly turn"
    forms = len(forms_for(numbers.shape[1]))
    return (
        f"poses and pictures do not belong together: read as {own} they {left}, and none of the "
        f"{forms} forms and units of {numbers.shape[1]} numbers does better, in either place of "
        f"the camera, in this order or up to {MAX_SHIFT} rows off; are the rows in the pictures' "
        "order, is the board still, is it this board?"
    )
