"""What one view says against the others: never FAIL alone, and never PASS."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.kits import scene
from tests.runtime.inspection.test_decide import DEFECT, GOOD, LIMITS
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.inspection.agreement import CLEAR_SCORE, contradicted
from voxgate.runtime.inspection.decide import decide
from voxgate.runtime.nouns import Defect, Outcome, Reason

POSES = [scene.camera(azimuth, 60.0) for azimuth in (30.0, 120.0, 210.0, 300.0)]
TOP = (42.0, 22.0, 25.0)  # a corner of the body's upper face, far from tower and bolt
SPECK = replace(DEFECT, centroid_part_mm=TOP, size_mm=(4.0, 6.0, 2.0), peak_score=2.5, views=1)


@cache
def _golden() -> list[ExpectedView]:
    return scene.golden(POSES)


def _doubted(defect: Defect, golden: list[ExpectedView] | None = None) -> bool:
    views = _golden() if golden is None else golden
    return bool(contradicted([defect], views, scene.rays(), np.eye(4), 2.0))


def test_a_speck_in_one_view_of_four_fails_the_part() -> None:
    assert _doubted(SPECK)


@pytest.mark.parametrize(
    "defect",
    [
        replace(SPECK, views=2),
        replace(SPECK, size_mm=(4.0, 10.0, 2.0)),
        replace(SPECK, peak_score=CLEAR_SCORE - 0.01),
        replace(SPECK, centroid_part_mm=(42.0, 22.0, 31.0)),
        replace(SPECK, centroid_part_mm=(50.0, 0.0, 5.0)),
    ],
    ids=[
        "two say it",
        "too large for dust",
        "the others may be just below",
        "off the surface",
        "aside",
    ],
)
def test_a_defect_that_nobody_contradicts_becomes_a_doubt(defect: Defect) -> None:
    assert not _doubted(defect)


def test_two_views_outvote_each_other() -> None:
    assert not _doubted(SPECK, _golden()[:2])


def test_a_doubt_alone_is_neither_fail_nor_pass() -> None:
    findings = replace(GOOD, score=2.5, defects=(SPECK,), contradicted=(SPECK,))
    outcome, notes = decide(findings, LIMITS)
    assert outcome is Outcome.INDETERMINATE
    assert [note.reason for note in notes] == [Reason.VIEWS_DISAGREE, Reason.DEFECT]


def test_a_doubt_hides_a_defect_that_the_views_agree_on() -> None:
    findings = replace(GOOD, score=3.0, defects=(DEFECT, SPECK), contradicted=(SPECK,))
    outcome, notes = decide(findings, LIMITS)
    assert outcome is Outcome.FAIL
    assert {note.reason for note in notes} == {Reason.DEFECT}


def test_a_doubt_hides_what_the_classifier_says() -> None:
    findings = replace(GOOD, score=2.5, defects=(SPECK,), contradicted=(SPECK,), scorer=1.2)
    assert decide(findings, LIMITS)[0] is Outcome.FAIL
