"""The papers' figures of one part type, from its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgate.export.evaluation.metrics.detection import (
    classification_auroc,
    fpr_at_tpr,
    instance_auroc,
)
from voxgate.export.evaluation.metrics.objects import object_accuracy, object_auroc
from voxgate.export.evaluation.metrics.pixels import (
    aupro_over_limits,
    pixel_aupro,
    pixel_auroc,
    segmentation_pixel_auroc,
)
from voxgate.export.evaluation.metrics.voxels import voxel_aupro
from voxgate.export.evaluation.records import (
    CaseRecord,
    Store,
    StoredPictures,
    StoredVolumes,
    scene_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class TypeFigures:
    """One part type. A figure is None where the cases do not define it (no bad part, no good).

    figures: name as the paper calls it -> value; rules: fusion rule -> the same two figures.
    """

    part: str
    kind: str
    good: int
    bad: int
    figures: dict[str, float | None]
    rules: dict[str, dict[str, float | None]] = field(default_factory=dict)
    over_limits: dict[float, float] = field(default_factory=dict)
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    good_scores: tuple[float, ...] = ()
    bad_scores: tuple[float, ...] = ()
    missed: tuple[str, ...] = ()
    stage_ms: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "part": self.part,
            "kind": self.kind,
            "good": self.good,
            "bad": self.bad,
            "figures": self.figures,
            "fusion_rules": self.rules,
            "au_pro_over_limits": {str(k): v for k, v in self.over_limits.items()},
            "outcomes": self.outcomes,
            "good_scores": list(self.good_scores),
            "bad_scores": list(self.bad_scores),
            "defects_below_threshold": list(self.missed),
            "stage_ms_p50_p99_max": {k: list(v) for k, v in self.stage_ms.items()},
        }


def figures_of(records: Sequence[CaseRecord], store: Store) -> TypeFigures:
    """All figures of one part type's records, which are of one kind and at least one."""
    kind = records[0].kind
    names = tuple(record.name for record in records)
    anomalous = np.array([record.anomalous for record in records])
    over_limits: dict[float, float] = {}
    rules: dict[str, dict[str, float | None]] = {}
    if kind == "volume":
        figures = _volume_figures(records, anomalous, names, store)
        rules = _by_rule(records, anomalous, names, store)
    elif kind == "picture":
        figures, over_limits = _picture_figures(records, anomalous, names, store)
    else:
        scenes = [scene_of(store.arrays(name)) for name in names]
        figures = {
            "AUC": _defined(lambda: object_auroc(scenes)),
            "accuracy": _defined(lambda: object_accuracy(scenes)),
        }
    return TypeFigures(
        part=records[0].part,
        kind=kind,
        good=int((~anomalous).sum()),
        bad=int(anomalous.sum()),
        figures=figures,
        rules=rules,
        over_limits=over_limits,
        outcomes={
            label: _outcomes([r for r in records if r.anomalous == bad])
            for label, bad in (("good", False), ("bad", True))
        },
        good_scores=tuple(sorted(r.score for r in records if not r.anomalous)),
        bad_scores=tuple(sorted(r.score for r in records if r.anomalous)),
        missed=_missed(records),
        stage_ms=_stages(records),
    )


def _volume_figures(
    records: Sequence[CaseRecord], anomalous: Any, names: tuple[str, ...], store: Store
) -> dict[str, float | None]:
    scores = np.array([record.score for record in records])
    figures = {
        "I-AUROC": _defined(lambda: instance_auroc(scores, anomalous)),
        "V-AUPRO@1%": _defined(lambda: voxel_aupro(StoredVolumes(store, names))),
        "FPR@95TPR": _defined(lambda: fpr_at_tpr(scores, anomalous)),
    }
    if all(record.scorer is not None for record in records):
        classified = np.array([record.scorer for record in records], np.float64)
        figures["Cl. AUROC"] = _defined(lambda: classification_auroc(classified, anomalous))
        figures["Cl. FPR@95TPR"] = _defined(lambda: fpr_at_tpr(classified, anomalous))
    return figures


def _by_rule(
    records: Sequence[CaseRecord], anomalous: Any, names: tuple[str, ...], store: Store
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for rule in records[0].rules:
        scores = np.array([record.rules.get(rule, 0.0) for record in records])
        volumes = StoredVolumes(store, names, f"rule:{rule}")
        found[rule] = {
            "I-AUROC": _defined(lambda scores=scores: instance_auroc(scores, anomalous)),
            "V-AUPRO@1%": _defined(lambda volumes=volumes: voxel_aupro(volumes)),
        }
    return found


def _picture_figures(
    records: Sequence[CaseRecord], anomalous: Any, names: tuple[str, ...], store: Store
) -> tuple[dict[str, float | None], dict[float, float]]:
    scores = np.array([record.score for record in records])
    pictures = StoredPictures(store, names)
    figures = {
        "image AUROC": _defined(lambda: instance_auroc(scores, anomalous)),
        "AU-PRO@0.3": _defined(lambda: pixel_aupro(pictures)),
        "pixel AUROC": _defined(lambda: pixel_auroc(pictures)),
        "segmentation pixel AUROC": _defined(lambda: segmentation_pixel_auroc(pictures)),
        "FPR@95TPR": _defined(lambda: fpr_at_tpr(scores, anomalous)),
    }
    defined = figures["AU-PRO@0.3"] is not None
    return figures, aupro_over_limits(pictures) if defined else {}


def _defined(figure: Any) -> float | None:
    try:
        return float(figure())
    except ValueError:
        return None


def _outcomes(records: Sequence[CaseRecord]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in records:
        if record.outcome is not None:
            counts[record.outcome] = counts.get(record.outcome, 0) + 1
    return counts


def _missed(records: Sequence[CaseRecord]) -> tuple[str, ...]:
    return tuple(
        f"{record.name}: {defect.type or f'defect {defect.id}'} {defect.peak:.2f}"
        for record in records
        for defect in record.defects
        if defect.peak < 1.0
    )


def _stages(records: Sequence[CaseRecord]) -> dict[str, tuple[float, float, float]]:
    passages: dict[str, list[float]] = {}
    for record in records:
        for stage, times in record.stage_ms.items():
            passages.setdefault(stage, []).extend(times)
    return {
        stage: (float(np.median(t)), float(np.percentile(t, 99)), max(t))
        for stage, t in passages.items()
        if t
    }
