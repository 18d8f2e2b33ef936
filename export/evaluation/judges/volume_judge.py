"""A recipe on multi-view scans: the runtime's own inspector, and every rule of fusion beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from voxgate.export.evaluation.cases import Case, VolumeCase
from voxgate.export.evaluation.judges.case_records import Judged, Judgement, judged_volume
from voxgate.export.evaluation.judges.fusion_rules import RULES, Scores
from voxgate.export.evaluation.judges.per_view import ListeningInspector, onto_voxels, votes_on
from voxgate.export.evaluation.judges.regrid import onto
from voxgate.export.evaluation.metrics.labelled_volume import VoxelTruth, label_volume
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.inspection.several.inspector import AnyInspector, every, open_inspector
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.volume.smooth import smooth
from voxgate.runtime.volume.volume import Voxels


@dataclass(slots=True)
class VolumeJudge:
    """A recipe on multi-view scans: the runtime's own inspector, listened to where it is of one
    camera."""

    recipe: Recipe
    settings: Settings
    rules: bool = True
    _inspector: AnyInspector | None = None

    def judge(self, case: Case, key: str) -> Judged:
        """The verdict and the voxels behind it."""
        volume_case = cast(VolumeCase, case)
        begun = time.perf_counter()
        inspector = self._opened(volume_case)
        verdict = inspector.inspect(volume_case.arrivals())
        seconds = time.perf_counter() - begun
        truth, grid = volume_case.truth(), volume_case.grid()
        voxels = inspector.volume.occupied()
        ranked = smooth(voxels, self.recipe.grid)
        ijk, score = onto(grid, ranked.ijk, ranked.score, self.recipe.grid)
        labelled, where = label_volume(ijk, score, truth, grid.shape)
        heard = [each for each in every(inspector) if each.scorer_score is not None]
        on_truth: dict[str, Scores] = {}
        on_part: dict[str, float] = {}
        if isinstance(inspector, ListeningInspector) and grid == self.recipe.grid:
            on_truth, on_part = _by_rule(inspector, voxels, truth)
        said = Judgement(
            score=verdict.score or 0.0,
            seconds=seconds,
            scorer=max((each.scorer_score or 0.0 for each in heard), default=None),
            outcome=verdict.outcome.value,
            reasons=tuple(dict.fromkeys(note.reason.value for note in verdict.notes)),
            coverage=verdict.coverage,
            rules=on_part,
            stage_ms=_stages(inspector),
        )
        record, arrays = judged_volume(case, key, truth.anomalous, labelled, where, said)
        return record, {**arrays, **on_truth}

    def close(self) -> None:
        """The engine and its threads."""
        if self._inspector is not None:
            self._inspector.close()
            self._inspector = None

    def _opened(self, case: VolumeCase) -> AnyInspector:
        if self._inspector is None:
            calibrations, limits = case.calibrations(), self.settings.limits
            how = (limits, self.settings.backend, self.settings.threads, time.monotonic_ns)
            if self.rules and not self.recipe.manifest.cameras:
                self.recipe.check_cameras(calibrations)
                (known,) = calibrations.values()
                self._inspector = ListeningInspector.open(self.recipe, known, *how)
            else:
                self._inspector = open_inspector(self.recipe, calibrations, *how)
        return self._inspector


def _by_rule(
    inspector: ListeningInspector, occupied: Voxels, truth: VoxelTruth
) -> tuple[dict[str, Scores], dict[str, float]]:
    """By rule: scores of the truth's voxels, ranked as the runtime's are, and the part's, which is
    the largest over all voxels. What all views say together no rule takes back."""
    grid = inspector.recipe.grid
    votes = votes_on(occupied.ijk, inspector.views, grid.shape)
    together, _ = onto_voxels(occupied.ijk, inspector.together, grid.shape)
    scores, part = {}, {}
    for name, rule in RULES.items():
        fused = replace(occupied, score=np.maximum(rule(votes).astype(np.float32), together))
        ranked = smooth(fused, grid)
        scores[f"rule:{name}"] = label_volume(ranked.ijk, ranked.score, truth, grid.shape)[0].scores
        part[name] = float(fused.score.max(initial=0.0))
    return scores, part


def _stages(inspector: AnyInspector) -> dict[str, list[float]]:
    stages: dict[str, list[float]] = {}
    for timing in inspector.take_timings():
        stages.setdefault(timing.work.value, []).append(round(timing.took_ns / 1e6, 3))
    return stages
