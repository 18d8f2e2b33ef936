"""A scene's verdict as JSON, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.instances import Proven
from voxgate.runtime.trays.scene_verdict import Judged, Oddity, SceneVerdict


def as_json(verdict: SceneVerdict) -> dict[str, Any]:
    """For `--json`; lengths in mm, world frame; scores 1.0 = threshold."""
    proven = verdict.proven
    return {
        "outcome": verdict.outcome.value,
        "reasons": [each.value for each in verdict.reasons],
        "notes": [each.detail for each in verdict.doubts],
        "smallest_mm": proven and round(proven.smallest_mm, 2),
        "least_contrast": proven and round(proven.contrast, 3),
        "least_depth_mm": proven and proven.depth_mm and round(proven.depth_mm, 3),
        "instances": [_instance(each) for each in verdict.judged],
    }


def _instance(judged: Judged) -> dict[str, Any]:
    return {
        "id": judged.number,
        "box_mm": _rounded(judged.instance.box_mm),
        "centre_mm": _rounded(judged.instance.box_mm.mean(axis=0)),
        "score": None if judged.score is None else round(judged.score, 3),
        "odd": judged.odd,
        "seen_by": list(judged.instance.seen_by),
        "defects": [_defect(each) for each in judged.oddities],
    }


def _defect(oddity: Oddity) -> dict[str, Any]:
    return {
        "centre_mm": _rounded(oddity.centre_mm),
        "box_mm": _rounded(oddity.box_mm),
        "score": round(oddity.score, 3),
        "deviation_mm": None if oddity.deviation_mm is None else round(oddity.deviation_mm, 3),
        "brighter": None if oddity.brighter is None else round(oddity.brighter, 3),
    }


def _rounded(values: npt.NDArray[np.float64]) -> Any:
    return np.round(values, 2).tolist()


def rows(verdict: SceneVerdict) -> list[tuple[str, str, str, str]]:
    """Of a table: id, place, score, what is odd."""
    return [
        (
            str(each.number),
            "({:.0f}, {:.0f}) mm".format(*each.instance.box_mm.mean(axis=0)[:2]),
            "-" if each.score is None else f"{each.score:.2f}",
            _words(each),
        )
        for each in verdict.judged
    ]


def said(proven: Proven) -> str:
    """What would have been found."""
    across = f"{proven.smallest_mm:.1f} mm"
    words = (
        f"would have been found: what is {across} large every way; on half of every part a mark of "
        f"{across} that takes {proven.contrast:.0%} of the grey value"
    )
    if proven.depth_mm is None:
        return words + "; no hollow"
    return (
        words
        + f", a hollow of {2 * proven.smallest_mm:.1f} mm that is {proven.depth_mm:.2f} mm deep"
    )


def _words(judged: Judged) -> str:
    if judged.odd is None:
        return "not compared"
    if not judged.odd:
        return "as its neighbours"
    said = [
        "{} at ({:.0f}, {:.0f}, {:.0f})".format(_by_how_much(each), *each.centre_mm)
        for each in judged.oddities[:2]
    ]
    return "ODD: " + "; ".join(said or ["of another shape"])


def _by_how_much(oddity: Oddity) -> str:
    if oddity.deviation_mm is not None:
        return f"{oddity.deviation_mm:+.2f} mm"
    if oddity.brighter is None:
        return "of another hue"
    return f"{abs(oddity.brighter):.0%} {'brighter' if oddity.brighter > 0 else 'darker'}"
