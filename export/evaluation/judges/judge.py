"""Who judges a data set: what its cases are decides, and what the recipe's detector sees."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from voxgate.export.evaluation.cases import Case, Dataset
from voxgate.export.evaluation.judges.case_records import Judged
from voxgate.export.evaluation.judges.picture_judge import PictureJudge, VoxelPictureJudge
from voxgate.export.evaluation.judges.scene_judge import SceneJudge
from voxgate.export.evaluation.judges.stored_scores import StoredScores
from voxgate.export.evaluation.judges.volume_judge import VolumeJudge
from voxgate.export.evaluation.judges.whereabouts import Whereabouts
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.recipe import Recipe


class Judge(Protocol):
    """Judges the cases of one part type, one after the other."""

    def judge(self, case: Case, key: str) -> Judged:
        """Raises VoxGateError for a case that cannot be read or does not fit."""

    def close(self) -> None:
        """Give everything back."""


def judge_for(
    dataset: Dataset,
    source: Recipe | Path,
    settings: Settings,
    *,
    rules: bool = True,
    golden: Path | None = None,
) -> Judge:
    """Who judges this data set's cases. golden: the recipe's golden scan, by which pictures are
    located. Raises RecipeError when the recipe cannot."""
    if isinstance(source, Path):
        return StoredScores(source, dataset.kind)
    if (dataset.kind == "scene") != source.of_trays:
        raise RecipeError(
            f"{dataset.folder}: scenes of several parts need a recipe of trays (voxgate export "
            f"neighbours, odd-one-out), and only they do: {source.label} does not fit"
        )
    if dataset.kind == "scene":
        return SceneJudge(source, settings)
    if dataset.kind == "volume":
        return VolumeJudge(source, settings, rules)
    if source.of_sets:
        raise RecipeError(
            f"recipe {source.label} scores each view beside all others of a part, a picture of "
            f"{dataset.folder} stands alone: choose a method that scores views"
        )
    if source.manifest.detector == "volume":
        return VoxelPictureJudge(source, settings)
    whereabouts = None if golden is None else Whereabouts.of(golden, source)
    return PictureJudge(source, settings, whereabouts)
