"""The truth table: everything that is not proven good is not PASS."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from voxgate.runtime.config.limits import Limits
from voxgate.runtime.inspection.decide import Findings, decide
from voxgate.runtime.nouns import Alignment, Defect, Drift, Note, Outcome, Reason, Verdict

LIMITS = Limits()
DEFECT = Defect(
    centroid_part_mm=(1.0, 2.0, 3.0),
    centroid_base_mm=(4.0, 5.0, 6.0),
    size_mm=(2.0, 4.0, 6.0),
    volume_mm3=48.0,
    peak_score=3.0,
    voxels=6,
    views=2,
)


def _alignment(
    shift_mm: float = 0.3, rotation_deg: float = 0.2, lift_mm: float | None = None
) -> Alignment:
    return Alignment(np.eye(4), shift_mm, rotation_deg, 0.03, inliers=0.9, lift_mm=lift_mm)


GOOD = Findings(
    score=0.4,
    defects=(),
    coverage=0.99,
    hole_mm2=8.0,
    hole_max_mm2=20.0,
    outside=0.0,
    alignment=_alignment(),
    notes=(),
)

AGAINST_THE_SCAN = {
    Reason.NO_VIEWS: replace(GOOD, score=None),
    Reason.COVERAGE: replace(GOOD, coverage=LIMITS.coverage_min - 0.001),
    Reason.OUT_OF_GRID: replace(GOOD, outside=LIMITS.outside_max + 0.001),
    Reason.MISALIGNED: replace(GOOD, alignment=_alignment(shift_mm=LIMITS.shift_max_mm + 0.01)),
    Reason.SCORE_INVALID: replace(GOOD, score=float("nan")),
}


@pytest.mark.parametrize(("told", "outcome"), [(1.0, Outcome.PASS), (0.8, Outcome.INDETERMINATE)])
def test_what_cannot_show_in_a_drift_is_let_pass(told: float, outcome: Outcome) -> None:
    drift = Drift(0.9 * LIMITS.drift_max_mm, 1.0, 0.05, np.eye(4), 1000, told)
    assert decide(replace(GOOD, drift=drift), LIMITS)[0] is outcome


def test_a_complete_scan_without_a_defect_is_pass_without_a_reason() -> None:
    assert decide(GOOD, LIMITS) == (Outcome.PASS, ())


def test_a_defect_on_a_complete_scan_is_fail_and_says_where() -> None:
    outcome, (note,) = decide(replace(GOOD, score=3.0, defects=(DEFECT,)), LIMITS)
    assert outcome is Outcome.FAIL
    assert note.reason is Reason.DEFECT
    assert "6.0 mm at (1.0, 2.0, 3.0)" in note.detail


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.DEFECT])
@pytest.mark.parametrize("defects", [(), (DEFECT,)])
def test_nothing_that_went_wrong_on_the_way_is_ever_pass(
    reason: Reason, defects: tuple[Defect, ...]
) -> None:
    evidence = replace(GOOD, notes=(Note(reason, "it went wrong"),), defects=defects)
    outcome, notes = decide(evidence, LIMITS)
    assert outcome is Outcome.INDETERMINATE
    assert notes[0].reason is reason
    assert (Reason.DEFECT in [n.reason for n in notes]) == bool(defects)


@pytest.mark.parametrize("reason", AGAINST_THE_SCAN)
def test_an_unproven_scan_is_indeterminate_and_names_the_limit(reason: Reason) -> None:
    outcome, notes = decide(AGAINST_THE_SCAN[reason], LIMITS)
    assert outcome is Outcome.INDETERMINATE
    assert [n.reason for n in notes] == [reason]


@pytest.mark.parametrize("score", [float("inf"), float("-inf"), -0.1, float("nan")])
def test_an_impossible_score_is_not_read_as_low(score: float) -> None:
    assert decide(replace(GOOD, score=score), LIMITS)[0] is Outcome.INDETERMINATE


def test_a_score_over_the_threshold_that_segmentation_lost_is_not_pass() -> None:
    outcome, notes = decide(replace(GOOD, score=1.0), LIMITS)
    assert outcome is Outcome.INDETERMINATE
    assert notes[0].reason is Reason.SCORE_INVALID


def test_unknown_coverage_is_not_read_as_full() -> None:
    assert decide(replace(GOOD, coverage=None), LIMITS)[0] is Outcome.INDETERMINATE


def test_a_hole_large_enough_to_hide_a_defect_is_not_pass() -> None:
    outcome, (note,) = decide(replace(GOOD, hole_mm2=GOOD.hole_max_mm2 + 1), LIMITS)
    assert outcome is Outcome.INDETERMINATE
    assert note.reason is Reason.COVERAGE


def test_surface_that_the_golden_scan_knows_nothing_of_is_not_pass() -> None:
    outcome, (note,) = decide(replace(GOOD, unknown_mm2=GOOD.hole_max_mm2 + 1), LIMITS)
    assert outcome is Outcome.INDETERMINATE
    assert note.reason is Reason.COVERAGE


def test_new_surface_beside_a_proven_defect_does_not_hide_it() -> None:
    facts = replace(GOOD, score=3.0, defects=(DEFECT,), unknown_mm2=1e4)
    assert decide(facts, LIMITS)[0] is Outcome.FAIL


@pytest.mark.parametrize("field", ["coverage", "outside", "hole_mm2", "unknown_mm2"])
def test_a_nan_fraction_is_not_within_a_limit(field: str) -> None:
    broken: dict[str, Any] = {field: float("nan")}
    assert decide(replace(GOOD, **broken), LIMITS)[0] is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "alignment",
    [
        _alignment(shift_mm=float("nan")),
        _alignment(rotation_deg=float("nan")),
        _alignment(lift_mm=float("nan")),
    ],
)
def test_a_nan_alignment_is_not_within_a_limit(alignment: Alignment) -> None:
    assert decide(replace(GOOD, alignment=alignment), LIMITS)[0] is Outcome.INDETERMINATE


@pytest.mark.parametrize("lift_mm", [LIMITS.lift_max_mm + 0.01, -LIMITS.lift_max_mm - 0.01])
def test_a_part_that_is_another_height_is_within_a_limit(lift_mm: float) -> None:
    outcome, (note,) = decide(replace(GOOD, alignment=_alignment(lift_mm=lift_mm)), LIMITS)
    assert (outcome, note.reason) == (Outcome.INDETERMINATE, Reason.MISALIGNED)
    assert f"{lift_mm:+.2f} mm" in note.detail


def test_only_one_combination_of_facts_is_pass() -> None:
    facts: dict[str, tuple[Any, ...]] = {
        "score": (0.99, 1.0, None, float("nan")),
        "defects": ((), (DEFECT,)),
        "coverage": (1.0, 0.5, None),
        "hole_mm2": (0.0, 1e4),
        "hole_max_mm2": (20.0,),
        "outside": (0.0, 0.5),
        "alignment": (_alignment(), _alignment(rotation_deg=9.0), None),
        "notes": ((), (Note(Reason.CAMERA_LOST, "gone"),)),
    }
    passed = [
        values
        for values in itertools.product(*facts.values())
        if decide(Findings(**dict(zip(facts, values, strict=True))), LIMITS)[0] is Outcome.PASS
    ]
    # a recipe without golden views has no alignment, and nothing against it
    assert [(v[0], v[2], v[6] is None) for v in passed] == [(0.99, 1.0, False), (0.99, 1.0, True)]


def test_a_verdict_is_indeterminate_until_something_decides() -> None:
    assert Verdict().outcome is Outcome.INDETERMINATE
    assert Verdict().reasons == (Reason.NOT_DECIDED,)


def test_a_pass_with_a_reason_against_it_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="neither reasons"):
        Verdict(outcome=Outcome.PASS)
    with pytest.raises(ValueError, match="needs a reason"):
        Verdict(outcome=Outcome.FAIL, notes=())


def test_a_classifier_may_fail_a_part_that_no_place_fails() -> None:
    outcome, notes = decide(replace(GOOD, scorer=1.4), LIMITS)
    assert outcome is Outcome.FAIL
    assert notes[0].reason is Reason.DEFECT
    assert "1.40" in notes[0].detail


def test_a_classifier_never_passes_what_a_place_fails() -> None:
    outcome, _ = decide(replace(GOOD, score=3.0, defects=(DEFECT,), scorer=0.0), LIMITS)
    assert outcome is Outcome.FAIL


@pytest.mark.parametrize("scorer", [float("nan"), float("inf"), -0.5])
def test_a_classifier_without_a_finite_score_is_no_proof(scorer: float) -> None:
    outcome, notes = decide(replace(GOOD, scorer=scorer), LIMITS)
    assert outcome is Outcome.INDETERMINATE
    assert notes[0].reason is Reason.SCORE_INVALID
