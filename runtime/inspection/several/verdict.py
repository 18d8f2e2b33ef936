"""What every camera says of one part becomes one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from voxgate.runtime.inspection.decide import defect_notes
from voxgate.runtime.nouns import Alignment, Defect, Drift, Note, Outcome, Reason, Verdict
from voxgate.runtime.transforms import apply
from voxgate.runtime.volume.grid import GridSpec

# FAIL is a complete scan with a defect, by every camera
WORST_FIRST = (Outcome.INDETERMINATE, Outcome.FAIL, Outcome.PASS)


def one_verdict(
    said: Mapping[str, Verdict],
    against: Sequence[Note],
    defects: tuple[Defect, ...],
) -> Verdict:
    """said: of each camera alone. against: what no single camera can say. defects: of the volume
    that all of them filled. Score and drift are the worst camera's, coverage the least one's.
    """
    outcomes = {verdict.outcome for verdict in said.values()}
    if against:
        outcomes.add(Outcome.INDETERMINATE)
    views = tuple(
        replace(view, camera=name) for name, verdict in said.items() for view in verdict.views
    )
    notes = tuple(note for name, each in said.items() for note in _of(name, each))
    return Verdict(
        outcome=next(each for each in WORST_FIRST if each in outcomes),
        notes=(*against, *notes, *defect_notes(defects)),
        score=max(_of_all([verdict.score for verdict in said.values()]), default=None),
        coverage=min(_of_all([verdict.coverage for verdict in said.values()]), default=None),
        defects=defects,
        views=views,
        alignment=_alignment(said),
        drift=_drift(said),
    )


def apart(said: Mapping[str, Verdict], grid: GridSpec, most_mm: float) -> Note | None:
    """Two cameras that see the part in two places: one of them is not where it is thought to be."""
    centre_mm = grid.centres_mm(np.array([grid.shape], np.int32) // 2)
    seen = {
        name: apply(verdict.alignment.reference_from_part, centre_mm)[0]
        for name, verdict in said.items()
        if verdict.alignment is not None
    }
    pairs = [(a, b) for a in seen for b in seen if a < b]
    off_mm = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a, b in pairs}
    if not off_mm or max(off_mm.values()) <= most_mm:
        return None
    one, other = max(off_mm, key=lambda pair: off_mm[pair])
    return Note(
        Reason.CALIBRATION_DRIFT,
        f"camera {one} sees the part {off_mm[one, other]:.2f} mm from where camera {other} sees "
        f"it, at most {most_mm:.2f}: was one of them bumped, or the part pushed meanwhile? Check "
        "with `voxgate calib verify`",
    )


def _of(camera: str, verdict: Verdict) -> Iterator[Note]:
    """What it holds against the part, under its name; its defects are told once, of all."""
    told = set(defect_notes(verdict.defects))
    for note in verdict.notes:
        if note not in told:
            yield replace(note, detail=f"camera {camera}: {note.detail}")


def _of_all(values: Sequence[float | None]) -> list[float]:
    """Nothing where one camera has none: what it would have said is not known."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _alignment(said: Mapping[str, Verdict]) -> Alignment | None:
    """By the camera with the most views of it."""
    aligned = [verdict for verdict in said.values() if verdict.alignment is not None]
    best = max(aligned, key=lambda verdict: len(verdict.views), default=None)
    return None if best is None else best.alignment


def _drift(said: Mapping[str, Verdict]) -> Drift | None:
    drifts = [verdict.drift for verdict in said.values() if verdict.drift is not None]
    return max(drifts, key=lambda drift: drift.drift_mm, default=None)
