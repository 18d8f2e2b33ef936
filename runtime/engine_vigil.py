"""Doubts an engine whose answers do not change: what hangs half still gives finite scores.

A buffer that is never written again holds the view before; a device that lost its weights says the
same everywhere. Neither is NaN, and both would let every part pass.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from runtime.engine import Engine, Tensor, raw_scores
from runtime.errors import EngineError
from runtime.recipe import Probe


class Vigil:
    """Watches the answers of one engine, part after part. tolerance: of the probes, in thresholds.

    Costs a comparison with the view before, which ends at the first pixel that differs; a probe is
    replayed only for a part of which some view scored the same everywhere.
    """

    def __init__(self, engine: Engine, probes: tuple[Probe, ...], tolerance: float) -> None:
        self._engine = engine
        self._telling = next((probe for probe in probes if np.ptp(probe.score) > 0), None)
        self._tolerance = tolerance
        self._before: tuple[Mapping[str, Tensor], npt.NDArray[np.float32]] | None = None
        self._flat = False

    def start(self) -> None:
        """A new part."""
        self._before, self._flat = None, False

    def watch(self, inputs: Mapping[str, Tensor], score: npt.NDArray[np.float32]) -> None:
        """One view's answer. Raises EngineError when it is the answer to another view."""
        before, self._before = self._before, (inputs, score)
        if score.flat[0] == score.flat[-1] and np.ptp(score) == 0:
            self._flat = True
            return
        if before is None or not np.array_equal(before[1], score):
            return
        if any(not np.array_equal(inputs[name], before[0][name]) for name in inputs):
            raise EngineError(
                f"{self._engine.backend} gave the scores of the view before for another picture: "
                "restart the service"
            )

    def finish(self) -> None:
        """Have the engine prove itself if it left any doubt. Raises EngineError when it cannot."""
        if not self._flat:
            return
        if self._telling is None:
            raise EngineError("a view scored the same everywhere, and so does every probe")
        score, expected = raw_scores(self._engine, self._telling.inputs), self._telling.score
        off = np.abs(score - expected) / np.maximum(1.0, np.abs(expected))
        if score.shape != expected.shape or not off.max() <= self._tolerance:
            raise EngineError(
                f"{self._engine.backend} scored a view the same everywhere, and the probe not "
                f"as it was recorded (off by {off.max():.3g}): restart the service"
            )
