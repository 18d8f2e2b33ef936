"""Doubts an engine whose answers do not change: what hangs half still gives finite scores.

A buffer that is never written again holds the view before; a device that lost its weights says the
same everywhere. Neither is NaN, and both would let every part pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.engines.engine import Engine, deviation, raw_scores
from voxgate.runtime.errors import EngineError
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import DEPTH_INPUTS, TensorSpec

Seen = tuple[npt.NDArray[Any], ...]
"""What a model was shown of a view, in memory that is the view's own."""


class Vigil:
    """Watches the answers of one engine, part after part. tolerance: of the probes, in thresholds.

    Costs a comparison with the view before, which ends at the first pixel that differs; a probe is
    replayed only for a part that left a doubt.
    """

    def __init__(self, engine: Engine, probes: tuple[Probe, ...], tolerance: float) -> None:
        self._engine = engine
        # a recipe that judges by shape alone has a model that is silent always, and a probe like it
        self._telling = max(probes, key=lambda probe: float(np.ptp(probe.score)), default=None)
        self._tolerance = tolerance
        self._before: tuple[Seen, npt.NDArray[np.float32]] | None = None
        self._doubts = False

    def start(self) -> None:
        """A new part."""
        self._before, self._doubts = None, False

    def doubt(self) -> None:
        """Something else speaks against the engine: it has to prove itself."""
        self._doubts = True

    def watch(self, seen: Seen, score: npt.NDArray[np.float32]) -> None:
        """One view's answer. Raises EngineError when it is the answer to another view."""
        before, self._before = self._before, (seen, score)
        if score.flat[0] == score.flat[-1] and np.ptp(score) == 0:
            self._doubts = True
        elif before is not None and _same(before[1], score) and _differ(before[0], seen):
            raise EngineError(
                f"{self._engine.backend} gave the scores of the view before for another picture: "
                "restart the service"
            )

    def finish(self) -> None:
        """Have the engine prove itself if it left any doubt. Raises EngineError when it cannot."""
        if not self._doubts:
            return
        if self._telling is None:
            raise EngineError("a view scored the same everywhere, and no probe tells if that is so")
        score, expected = raw_scores(self._engine, self._telling.inputs), self._telling.score
        if score.shape != expected.shape or not deviation(score, expected) <= self._tolerance:
            raise EngineError(
                f"{self._engine.backend} scored a view the same everywhere, and its probe not as "
                "it was recorded: restart the service"
            )


def _same(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> bool:
    """The middle is asked first: it nearly always tells, and costs nothing."""
    middle = len(one) // 2
    return np.array_equal(one[middle], other[middle]) and np.array_equal(one, other)


def _differ(one: Seen, other: Seen) -> bool:
    return any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


def looks(model: Iterable[TensorSpec]) -> bool:
    """Whether this model judges the picture alone."""
    names = {spec.name for spec in model}
    return "image" in names and not names & DEPTH_INPUTS


def seen_by(model: Iterable[TensorSpec], view: View) -> Seen:
    """What of a view this model is shown."""
    names = {spec.name for spec in model}
    depth = (view.depth_mm,) if names & DEPTH_INPUTS and view.depth_mm is not None else ()
    return ((view.picture,) if "image" in names else ()) + depth
