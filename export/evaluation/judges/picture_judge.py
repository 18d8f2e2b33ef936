"""A recipe on single pictures: its score map, or its voxels' scores on the pixels they fall on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Case, Picture, PictureCase
from voxgate.export.evaluation.judges.backproject import pinhole_rays, pixel_scores
from voxgate.export.evaluation.judges.case_records import Judged, Judgement, judged_picture
from voxgate.export.evaluation.judges.picture_inputs import Standing, model_inputs
from voxgate.export.evaluation.judges.whereabouts import Whereabouts
from voxgate.export.evaluation.picture_pose import lifted
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.engines.engine import (
    Engine,
    open_engine,
    open_further,
    score_map,
    score_volume,
)
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.fusion.voxels import VoxelGrid
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.transforms import invert


@dataclass(slots=True)
class PictureJudge:
    """A view detector that sees one picture (and depth): its score map, and its maximum.

    whereabouts: tells where pictures were taken, where a recipe of several viewpoints must know.
    """

    recipe: Recipe
    settings: Settings
    whereabouts: Whereabouts | None = None
    _engines: list[Engine] = field(default_factory=list)

    def judge(self, case: Case, key: str) -> Judged:
        """The map over the picture, the largest of all models', with the mask."""
        if not self._engines:
            self._open()
        picture_case = cast(PictureCase, case)
        picture = picture_case.picture()
        standing = Standing.of(self.recipe)
        if standing is None and self.whereabouts is not None:
            standing = self.whereabouts.standing(picture)
        begun = time.perf_counter()
        maps = [
            score_map(engine, model_inputs(each.manifest, picture, case.name, standing)).score
            for each, engine in zip(self.recipe.models, self._engines, strict=True)
        ]
        score = np.max(maps, axis=0)
        return _judged(picture_case, key, score, time.perf_counter() - begun)

    def close(self) -> None:
        """The engines, the first one last: others may share its GPU."""
        for engine in reversed(self._engines):
            engine.close()
        self._engines.clear()

    def _open(self) -> None:
        backend, threads = self.settings.backend, self.settings.threads
        first = open_engine(self.recipe, backend, threads)
        self._engines.append(first)
        self._engines += open_further(self.recipe, backend, threads, None, first).values()


@dataclass(slots=True)
class VoxelPictureJudge:
    """A volume detector on one organised cloud: its voxels' scores on the pixels they fall on."""

    recipe: Recipe
    settings: Settings
    _engine: Any = None

    def judge(self, case: Case, key: str) -> Judged:
        """The map over the picture, with the mask. Raises RecipeError without depth."""
        if self._engine is None:
            self._engine = open_engine(self.recipe, self.settings.backend, self.settings.threads)
        picture_case = cast(PictureCase, case)
        picture = picture_case.picture()
        if picture.depth_mm is None or picture.camera_matrix is None:
            raise RecipeError(f"{case.name}: a volume detector needs depth and its camera")
        begun = time.perf_counter()
        score = self._pixels(picture, picture.depth_mm, picture.camera_matrix)
        return _judged(picture_case, key, score, time.perf_counter() - begun)

    def close(self) -> None:
        """The engine."""
        if self._engine is not None:
            self._engine.close()

    def _pixels(
        self,
        picture: Picture,
        depth_mm: npt.NDArray[np.float32],
        camera_matrix: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float32]:
        assert self.recipe.manifest.voxels is not None  # a volume detector has them
        rays = pinhole_rays(camera_matrix, picture.image.shape[:2])
        pose = lifted(depth_mm)
        cube = VoxelGrid(self.recipe.manifest.voxels)
        table_z_mm = self.recipe.manifest.grid.table_z_mm
        grey = grey_and_colour(picture.image)[0]
        cube.add(View(0, grey, pose, 0.0, depth_mm), rays, np.eye(4), table_z_mm)
        tensors = cube.tensors()
        found = score_volume(self._engine, {s.name: tensors[s.name] for s in self._engine.inputs})
        ijk = np.argwhere(found > 0).astype(np.int32)
        return pixel_scores(cube.spec, ijk, found[tuple(ijk.T)], rays, invert(pose))


def _judged(case: PictureCase, key: str, score: npt.NDArray[np.float32], seconds: float) -> Judged:
    stage_ms = {"engine": [round(seconds * 1e3, 3)]}
    said = Judgement(float(score.max(initial=0.0)), seconds, stage_ms=stage_ms)
    return judged_picture(case, key, score, said)
