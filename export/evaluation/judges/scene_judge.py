"""A recipe of trays on published scenes: the boxes that it finds, and the chance that each is odd.

A network says both alone, as in the paper; the detector without weights by depth, or by outlines
where a scene has none. Neither needs the camera or the plan of the recipe's own tray.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Case, SceneCase
from voxgate.export.evaluation.judges.case_records import Judged, Judgement, judged_scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.scenes.published import MM_PER_UNIT
from voxgate.runtime.scenes.scene import Scene
from voxgate.runtime.trays.judge import judge
from voxgate.runtime.trays.network.graphs import Graphs, open_graphs
from voxgate.runtime.trays.network.judge import Network

Values = npt.NDArray[np.float64]


@dataclass(slots=True)
class SceneJudge:
    """Judges the scenes of one data set, one after the other."""

    recipe: Recipe
    settings: Settings
    _graphs: Graphs | None = field(default=None)

    def judge(self, case: Case, key: str) -> Judged:
        """Raises VoxGateError for a scene that cannot be read."""
        scene, begun = open_scene(case.source), time.perf_counter()
        outcome: str | None = None
        reasons: tuple[str, ...] = ()
        if self.recipe.models:
            boxes_mm, score = self._by_network(scene)
        else:
            boxes_mm, score, outcome, reasons = self._by_neighbours(scene)
        said = Judgement(
            float(score.max(initial=0.0)),
            time.perf_counter() - begun,
            outcome=outcome,
            reasons=reasons,
        )
        return judged_scene(cast(SceneCase, case), key, _centred(boxes_mm), _chance(score), said)

    def close(self) -> None:
        """The graphs, where there are any."""
        if self._graphs is not None:
            self._graphs.close()
            self._graphs = None

    def _by_network(self, scene: Scene) -> tuple[Values, Values]:
        if self._graphs is None:
            backend, threads = self.settings.backend, self.settings.threads
            self._graphs = open_graphs(self.recipe, backend, threads, None)
        found = Network(self._graphs, self.recipe.manifest, scene.rays()).found(scene.views)
        return found.boxes_mm, found.scores.astype(np.float64)

    def _by_neighbours(self, scene: Scene) -> tuple[Values, Values, str, tuple[str, ...]]:
        """Without what was not compared: it counts as not found."""
        with Crew(self.settings.threads) as crew:
            found = judge(scene, crew)
        told = [each for each in found.judged if each.score is not None]
        boxes = np.array([each.instance.box_mm for each in told]).reshape(-1, 2, 3)
        score = np.array([each.score for each in told], np.float64)
        return boxes, score, found.outcome.value, tuple(each.value for each in found.reasons)


def _centred(boxes_mm: Values) -> Values:
    """(n, 6) centre and size in the scene's units, of lowest and highest corners (n, 2, 3)."""
    low, high = boxes_mm[:, 0] / MM_PER_UNIT, boxes_mm[:, 1] / MM_PER_UNIT
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def _chance(score: Values) -> Values:
    """Scores from 0 whose threshold is 1 as chances whose threshold is a half."""
    return score / (1 + score)
