"""The truth table: what was seen and what went wrong become one outcome.

Whatever speaks against the scan itself (a view missing, a pose unproven, a part misplaced) makes
the verdict INDETERMINATE, also when defects were found: the robot must not act on half a proof.
FAIL is a complete scan with a defect; PASS is a complete scan without one. A defect that one view
says against others is a doubt: it is neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.config.limits import Limits
from voxgate.runtime.nouns import (
    Alignment,
    Defect,
    Drift,
    Note,
    Outcome,
    Reason,
    Verdict,
    ViewReport,
)
from voxgate.runtime.volume.coverage import Coverage

CAMERA_DRIFT = (
    "the views agree only if the camera sits",
    "elsewhere on the robot",
    "was it bumped, or the part pushed meanwhile? Check with `voxgate calib verify`",
)
SENSOR_DRIFT = (
    "the views agree only if the 3D sensor sits",
    "elsewhere on the robot",
    "was it bumped, or the part pushed meanwhile? Check with `voxgate calib verify`, then `voxgate "
    "calib sensor`",
)
PICTURE_DRIFT = (
    "the pictures lie",
    "beside what the sensor measured",
    "was it or the camera bumped? T_cam_sensor is another: voxgate calib sensor",
)


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a verdict rests on."""

    score: float | None
    defects: tuple[Defect, ...]
    coverage: float | None
    hole_mm2: float  # the largest piece of expected surface that no view measured
    hole_max_mm2: float
    outside: float
    alignment: Alignment | None
    notes: tuple[Note, ...]  # what went wrong on the way
    drift: Drift | None = None
    picture: Coverage | None = None  # by the camera beside the sensor, whose is `coverage`
    picture_drift: Drift | None = None  # of the camera against the sensor beside it
    unknown_mm2: float = 0.0  # measured surface of which the golden scan says nothing
    scorer: float | None = None  # what a classifier over zones says, 1.0 = threshold
    contradicted: tuple[Defect, ...] = ()  # of the defects, those that one view says against others

    @property
    def worst(self) -> float | None:
        """A part is as bad as its worst witness says."""
        if self.score is None or self.scorer is None:
            return self.score
        return max(self.score, self.scorer)


def verdict_on(findings: Findings, limits: Limits, views: tuple[ViewReport, ...]) -> Verdict:
    """What is said of the part, and by which views."""
    outcome, notes = decide(findings, limits)
    return Verdict(
        outcome=outcome,
        notes=notes,
        score=findings.worst,
        coverage=findings.coverage,
        defects=findings.defects,
        views=views,
        alignment=findings.alignment,
        drift=findings.drift,
    )


def decide(findings: Findings, limits: Limits) -> tuple[Outcome, tuple[Note, ...]]:
    """The outcome and every reason why it is not PASS; PASS has none."""
    against_scan = findings.notes + _unproven(findings, limits)
    defects = defect_notes(findings.defects) + _scorer_notes(findings.scorer)
    if against_scan:
        return Outcome.INDETERMINATE, against_scan + defects
    if defects and len(findings.contradicted) == len(defects):
        return Outcome.INDETERMINATE, _contradiction_notes(findings.contradicted) + defects
    if defects:
        return Outcome.FAIL, defects
    return Outcome.PASS, ()


def _unproven(findings: Findings, limits: Limits) -> tuple[Note, ...]:
    checks = (
        _score_note(findings),
        _coverage_note(findings.coverage, limits.coverage_min),
        _hole_note(findings.hole_mm2, findings.hole_max_mm2),
        _picture_note(findings.picture, findings.hole_max_mm2, limits.coverage_min),
        _unknown_note(findings),
        _outside_note(findings.outside, limits.outside_max),
        _alignment_note(findings.alignment, limits),
        _drift_note(findings.drift, limits.drift_max_mm, _measured_by(findings)),
        _drift_note(findings.picture_drift, limits.drift_max_mm, PICTURE_DRIFT),
    )
    return tuple(note for note in checks if note is not None)


def _score_note(findings: Findings) -> Note | None:
    if findings.score is None:
        return Note(Reason.NO_VIEWS, "no view could be inspected")
    if not 0.0 <= findings.score < float("inf"):
        return Note(Reason.SCORE_INVALID, f"part score {findings.score} is not a finite number")
    if findings.scorer is not None and not 0.0 <= findings.scorer < float("inf"):
        return Note(Reason.SCORE_INVALID, f"the scorer gives {findings.scorer}: no finite number")
    if findings.score >= 1.0 and not findings.defects:
        return Note(
            Reason.SCORE_INVALID,
            f"part score {findings.score:.2f} is over the threshold but no defect was segmented",
        )
    return None


def _coverage_note(coverage: float | None, coverage_min: float) -> Note | None:
    if coverage is not None and coverage >= coverage_min:
        return None
    seen = "unknown" if coverage is None else f"{coverage:.1%}"
    return Note(Reason.COVERAGE, f"surface seen: {seen}, at least {coverage_min:.1%} is needed")


def _hole_note(hole_mm2: float, hole_max_mm2: float) -> Note | None:
    if hole_mm2 <= hole_max_mm2:
        return None
    return Note(
        Reason.COVERAGE,
        f"one piece of surface of {hole_mm2:.0f} mm2 was not seen, "
        f"at most {hole_max_mm2:.0f} mm2 may be hidden",
    )


def _picture_note(seen: Coverage | None, hole_max_mm2: float, coverage_min: float) -> Note | None:
    if seen is None or (seen.hole_mm2 <= hole_max_mm2 and seen.fraction >= coverage_min):
        return None
    return Note(
        Reason.COVERAGE,
        f"of the surface that the golden pictures show the camera saw {seen.fraction:.1%}, one "
        f"piece of {seen.hole_mm2:.0f} mm2 not: at least {coverage_min:.1%} is needed, at most "
        f"{hole_max_mm2:.0f} mm2 may be hidden, whatever the sensor beside it measured",
    )


def _unknown_note(findings: Findings) -> Note | None:
    """Surface that is new is no reason to doubt a defect that is proven elsewhere."""
    if findings.defects or findings.unknown_mm2 <= findings.hole_max_mm2:
        return None
    return Note(
        Reason.COVERAGE,
        f"{findings.unknown_mm2:.0f} mm2 of surface were measured where the golden scan shows "
        f"neither surface nor free space, at most {findings.hole_max_mm2:.0f} mm2 may be unknown",
    )


def _outside_note(outside: float, outside_max: float) -> Note | None:
    if outside <= outside_max:
        return None
    return Note(
        Reason.OUT_OF_GRID,
        f"{outside:.1%} of the measured points lie outside the grid, at most {outside_max:.1%}",
    )


def _alignment_note(alignment: Alignment | None, limits: Limits) -> Note | None:
    if alignment is None:
        return None  # the recipe knows no surface to align to; a failed estimate left its own note
    if alignment.shift_mm <= limits.shift_max_mm:
        if alignment.rotation_deg <= limits.rotation_max_deg:
            return _lift_note(alignment.lift_mm, limits.lift_max_mm)
        return Note(
            Reason.MISALIGNED,
            f"part turned by {alignment.rotation_deg:.2f} deg, "
            f"at most {limits.rotation_max_deg:.2f}: seat it on the fixture",
        )
    return Note(
        Reason.MISALIGNED,
        f"part shifted by {alignment.shift_mm:.2f} mm, "
        f"at most {limits.shift_max_mm:.2f}: seat it on the fixture",
    )


def _lift_note(lift_mm: float | None, lift_max_mm: float) -> Note | None:
    if lift_mm is None or abs(lift_mm) <= lift_max_mm:
        return None
    return Note(
        Reason.MISALIGNED,
        f"part stands {lift_mm:+.2f} mm off where the golden one stood over the table, at most "
        f"{lift_max_mm:.2f}: clean table and foot, or it is another height",
    )


def _measured_by(findings: Findings) -> tuple[str, str, str]:
    """Whose drift depth tells: a sensor's, where a camera beside it was asked for coverage too."""
    return CAMERA_DRIFT if findings.picture is None else SENSOR_DRIFT


def _drift_note(
    drift: Drift | None, drift_max_mm: float, words: tuple[str, str, str]
) -> Note | None:
    """words: what lies, where it lies against what, and what to do. Where views tell of some
    motions only, so much less of one that is too large shows in them."""
    if drift is None or drift.drift_mm <= drift_max_mm * drift.told:
        return None
    what, where, advice = words
    return Note(
        Reason.CALIBRATION_DRIFT,
        f"{what} {drift.drift_mm:.2f} mm ({drift.drift_px:.1f} px) {where}, "
        f"at most {drift_max_mm * drift.told:.2f} mm: {advice}",
    )


def defect_notes(defects: tuple[Defect, ...]) -> tuple[Note, ...]:
    """One for each."""
    return tuple(
        Note(
            Reason.DEFECT,
            f"{max(d.size_mm):.1f} mm at ({_point(d.centroid_part_mm)}) mm in the part frame, "
            f"score {d.peak_score:.2f}, seen by {d.views} views",
        )
        for d in defects
    )


def _contradiction_notes(contradicted: tuple[Defect, ...]) -> tuple[Note, ...]:
    return tuple(
        Note(
            Reason.VIEWS_DISAGREE,
            f"one view alone says {d.peak_score:.2f} at ({_point(d.centroid_part_mm)}) mm, others "
            "that look at the place as squarely do not: dust? Clean it, inspect again",
        )
        for d in contradicted
    )


def _scorer_notes(scorer: float | None) -> tuple[Note, ...]:
    if scorer is None or not scorer >= 1.0:
        return ()
    return (
        Note(
            Reason.DEFECT,
            f"the zones together score {scorer:.2f}: they look like those of bad parts, "
            "also where no place is over its threshold",
        ),
    )


def _point(p_mm: tuple[float, float, float]) -> str:
    return ", ".join(f"{c:.1f}" for c in p_mm)
