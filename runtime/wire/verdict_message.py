"""A verdict as it is journalled and sent: the inspector's answer under the job's header."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.text import one_line
from voxgate.runtime.instances import InstanceReport
from voxgate.runtime.nouns import (
    Alignment,
    Defect,
    Drift,
    JobIdentity,
    Note,
    Origin,
    Outcome,
    Reason,
    Verdict,
)
from voxgate.runtime.wire.fields import MAX_DETAIL
from voxgate.runtime.wire.verdict import (
    MAX_DEFECTS,
    MAX_INSTANCES,
    MAX_REASONS,
    AlignmentMessage,
    DefectMessage,
    DriftMessage,
    EvidenceStatus,
    InstanceMessage,
    OddityMessage,
    OriginMessage,
    ReasonMessage,
    VerdictMessage,
    ViewMessage,
)


@dataclass(frozen=True, slots=True)
class Header:
    """What identifies a result, whatever the verdict is."""

    job: JobIdentity
    result_id: str
    created_utc: datetime
    backend: str
    evidence: EvidenceStatus = EvidenceStatus.OFF
    origin: Origin | None = None


def verdict_message(verdict: Verdict, header: Header) -> VerdictMessage:
    """The message for `verdict`; lists and sentences are cut to what the wire allows.

    A verdict with impossible numbers (NaN, infinity) is sent as INDETERMINATE (score_invalid).
    """
    try:
        return _message(verdict, header)
    except ValidationError as error:
        note = Note(
            Reason.SCORE_INVALID, f"the verdict holds impossible numbers: {first_finding(error)}"
        )
        return _message(Verdict(notes=(note,)), header)


def _message(verdict: Verdict, header: Header) -> VerdictMessage:
    proven = verdict.proven
    return VerdictMessage(
        result_id=header.result_id,
        **asdict(header.job),
        created_utc=header.created_utc,
        outcome=verdict.outcome,
        reasons=tuple(_reason(note) for note in verdict.notes[:MAX_REASONS]),
        score=verdict.score,
        coverage=verdict.coverage,
        defects=tuple(_defect(defect) for defect in verdict.defects[:MAX_DEFECTS]),
        defect_count=len(verdict.defects),
        instances=tuple(_instance(each) for each in verdict.instances[:MAX_INSTANCES]),
        smallest_mm=None if proven is None else proven.smallest_mm,
        least_contrast=None if proven is None else proven.contrast,
        least_depth_mm=None if proven is None else proven.depth_mm,
        views=tuple(
            ViewMessage(
                view=view.view,
                frame_id=view.frame_id,
                uncertainty_mm=view.uncertainty_mm,
                peak_score=view.peak_score,
                camera=view.camera or None,
            )
            for view in verdict.views
        ),
        alignment=_alignment(verdict.alignment),
        drift=_drift(verdict.drift),
        backend=header.backend,
        origin=_origin(header.origin),
        evidence=header.evidence,
        timing_ms=verdict.timing_ms,
    )


def against(verdict: Verdict, *notes: Note) -> Verdict:
    """`verdict` with more against it: a PASS or FAIL becomes INDETERMINATE."""
    known = (note for note in verdict.notes if note.reason is not Reason.NOT_DECIDED)
    return replace(verdict, outcome=Outcome.INDETERMINATE, notes=(*notes, *known))


def _reason(note: Note) -> ReasonMessage:
    return ReasonMessage(reason=note.reason, detail=cut(note.detail))


def cut(sentence: str) -> str:
    """A sentence of at most MAX_DETAIL legible characters on one line."""
    line = one_line(sentence, most=None)
    return line if len(line) <= MAX_DETAIL else line[: MAX_DETAIL - 3] + "..."


def _defect(defect: Defect) -> DefectMessage:
    return DefectMessage(
        centroid_part_mm=defect.centroid_part_mm,
        centroid_base_mm=defect.centroid_base_mm,
        size_mm=defect.size_mm,
        volume_mm3=defect.volume_mm3,
        peak_score=defect.peak_score,
        voxels=defect.voxels,
        views=defect.views,
    )


def _instance(instance: InstanceReport) -> InstanceMessage:
    return InstanceMessage(
        id=instance.number,
        box_part_mm=instance.box_part_mm,
        box_base_mm=instance.box_base_mm,
        centre_part_mm=instance.centre_part_mm,
        centre_base_mm=instance.centre_base_mm,
        score=instance.score,
        odd=instance.odd,
        seen_by=instance.seen_by,
        defects=tuple(OddityMessage(**asdict(each)) for each in instance.oddities[:MAX_DEFECTS]),
    )


def _origin(origin: Origin | None) -> OriginMessage | None:
    return None if origin is None else OriginMessage(**asdict(origin))


def _drift(drift: Drift | None) -> DriftMessage | None:
    if drift is None:
        return None
    return DriftMessage(
        drift_mm=drift.drift_mm, drift_px=drift.drift_px, residual_mm=drift.residual_mm
    )


def _alignment(alignment: Alignment | None) -> AlignmentMessage | None:
    if alignment is None:
        return None
    rows = alignment.reference_from_part.tolist()
    return AlignmentMessage(
        reference_from_part=tuple(tuple(row) for row in rows),
        shift_mm=alignment.shift_mm,
        rotation_deg=alignment.rotation_deg,
        residual_mm=alignment.residual_mm,
        inliers=alignment.inliers,
    )
