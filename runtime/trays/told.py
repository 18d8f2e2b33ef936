"""What was judged of each instance, as a verdict tells it: in the part's frame and in the base."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from voxgate.runtime.instances import Box, InstanceReport, Point
from voxgate.runtime.instances import Oddity as OddityReport
from voxgate.runtime.nouns import Note, Outcome, Reason, Verdict, ViewReport
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.trays.scene_verdict import Judged, Oddity, SceneVerdict

Points = npt.NDArray[np.float64]


def verdict_on(
    found: SceneVerdict,
    against: Sequence[Note],
    views: Sequence[ViewReport],
    base_from_part: Transform,
) -> Verdict:
    """against: what the line holds against the tray: it is neither PASS nor FAIL then."""
    odd = [_odd(each) for each in found.judged if each.odd]
    doubts = [*against, *found.doubts]
    if (not doubts and any(each.score is None for each in found.judged)) or not found.judged:
        doubts.append(Note(Reason.TOO_FEW, "not every part of the tray was compared"))
    scores = [each.score for each in found.judged if each.score is not None]
    outcome = Outcome.FAIL if odd else Outcome.PASS
    return Verdict(
        Outcome.INDETERMINATE if doubts else outcome,
        (*odd, *doubts),
        max(scores, default=None),
        instances=tuple(_instance(each, base_from_part) for each in found.judged),
        proven=found.proven,
        views=tuple(views),
    )


def _odd(judged: Judged) -> Note:
    x, y, _ = judged.instance.box_mm.mean(axis=0)
    words = f"instance {judged.number} at ({x:.0f}, {y:.0f}) mm differs from its neighbours"
    return Note(Reason.ODD, f"{words}: score {judged.score:.2f}")


def _instance(judged: Judged, base_from_part: Transform) -> InstanceReport:
    box = judged.instance.box_mm
    corners = apply(base_from_part, np.array(list(product(*box.T)), np.float64))
    centre = box.mean(axis=0)
    return InstanceReport(
        judged.number,
        _box(box),
        _box(np.stack([corners.min(axis=0), corners.max(axis=0)])),
        _point(centre),
        _point(apply(base_from_part, centre[None])[0]),
        judged.score,
        judged.instance.seen_by,
        tuple(_oddity(each, base_from_part) for each in judged.oddities),
    )


def _oddity(oddity: Oddity, base_from_part: Transform) -> OddityReport:
    return OddityReport(
        _point(oddity.centre_mm),
        _point(apply(base_from_part, oddity.centre_mm[None])[0]),
        _box(oddity.box_mm),
        oddity.score,
        oddity.deviation_mm,
        oddity.brighter,
    )


def _point(point: Points) -> Point:
    x, y, z = point.tolist()
    return x, y, z


def _box(box: Points) -> Box:
    return _point(box[0]), _point(box[1])
