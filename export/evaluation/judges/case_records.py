"""What is kept of a judged case: its record, and the arrays that its metrics are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Case, Kind, PictureCase, SceneCase
from voxgate.export.evaluation.metrics.labelled_volume import LabelledVolume
from voxgate.export.evaluation.metrics.pixels import LabelledPicture
from voxgate.export.evaluation.records import Arrays, CaseRecord, DefectRecord, scene_of

Judged = tuple[CaseRecord, Arrays]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was said of a whole case; the fields are those of CaseRecord. seconds: it took."""

    score: float
    seconds: float = 0.0
    scorer: float | None = None
    outcome: str | None = None
    reasons: tuple[str, ...] = ()
    coverage: float | None = None
    rules: Mapping[str, float] = field(default_factory=dict)
    stage_ms: Mapping[str, list[float]] = field(default_factory=dict)


def judged_volume(
    case: Case,
    key: str,
    anomalous: bool,
    labelled: LabelledVolume,
    ijk: npt.NDArray[np.int32],
    said: Judgement,
) -> Judged:
    """ijk: (n, 3), where the labelled voxels lie in the truth's grid."""
    record = _record(case, key, "volume", anomalous, said, _defects(case, labelled))
    return record, {
        "scores": labelled.scores,
        "defect_ids": labelled.defect_ids,
        "ijk": ijk.astype(np.int16),
    }


def judged_picture(
    case: PictureCase, key: str, score: npt.NDArray[np.float32], said: Judgement
) -> Judged:
    """score: (h, w). Raises ValueError when the truth has another size."""
    truth = case.truth()
    LabelledPicture(score, truth.defect, truth.part)  # refuses what does not fit
    arrays = {"score": score, "defect": truth.defect}
    record = _record(case, key, "picture", truth.anomalous, said)
    return record, arrays if truth.part is None else {**arrays, "part": truth.part}


def judged_scene(
    case: SceneCase,
    key: str,
    boxes: npt.NDArray[np.float64],
    score: npt.NDArray[np.float64],
    said: Judgement | None = None,
) -> Judged:
    """Found boxes (m, 6) and their scores (m,); said: more than the largest of them. Raises
    ValueError when they do not fit."""
    truth = case.truth()
    arrays = {"boxes": truth.boxes, "odd": truth.odd, "found": boxes, "score": score}
    scene_of(arrays)  # refuses what does not fit
    said = said or Judgement(float(score.max(initial=0.0)))
    return _record(case, key, "scene", bool(truth.odd.any()), said), arrays


def _record(
    case: Case,
    key: str,
    kind: Kind,
    anomalous: bool,
    said: Judgement,
    defects: tuple[DefectRecord, ...] = (),
) -> CaseRecord:
    return CaseRecord(
        key=key,
        name=case.name,
        part=case.part,
        kind=kind,
        anomalous=anomalous,
        score=said.score,
        scorer=said.scorer,
        outcome=said.outcome,
        reasons=said.reasons,
        coverage=said.coverage,
        defects=defects,
        rules=dict(said.rules),
        stage_ms=dict(said.stage_ms),
        seconds=said.seconds,
    )


def _defects(case: Case, labelled: LabelledVolume) -> tuple[DefectRecord, ...]:
    named: dict[int, str] = getattr(case, "defect_types", dict)()
    sizes = labelled.defect_sizes
    return tuple(
        DefectRecord(
            id=int(number),
            type=named.get(int(number)),
            peak=labelled.peak(int(number)),
            voxels=int(sizes[number]),
        )
        for number in labelled.defects
    )
