"""A detector of the set of views: what each view shows is kept, it speaks when the last is there.

Two graphs. `features`, a further model of the recipe, is asked about each view as it comes, while
the robot still moves; the recipe's first is then asked about each view beside all others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.timings import Stopwatch, Work
from voxgate.runtime.engines.engine import Tensor, of_detector, raw_scores
from voxgate.runtime.engines.vigil import seen_by
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.host import Described, Fused, HostFusion, Models
from voxgate.runtime.recipe.manifest import FEATURES, MODEL, VIEWS, Manifest

Features = npt.NDArray[np.float32]


def of_each_view(manifest: Manifest) -> Manifest:
    """Whose inputs are what one view gives to the recipe's models; of a set that is both graphs'
    without what comes from the other views."""
    if manifest.detector != "set":
        return manifest
    (features,) = manifest.detectors
    asked = {spec.name: spec for spec in (*features.inputs, *manifest.inputs)}
    inputs = tuple(spec for name, spec in asked.items() if name != VIEWS)
    return manifest.model_copy(update={"inputs": inputs, "detectors": ()})


class SetFusion:
    """Views wait with their features until all `planned` are there; `views` then fuses them one by
    one, each with the detector's word on it. Of a set with a gap it says nothing."""

    def __init__(self, views: HostFusion, models: Models, planned: int, watch: Stopwatch) -> None:
        self._views = views
        self._engine = models.engines[FEATURES]
        self._asked = [spec.name for spec in models.engines[MODEL].inputs]
        self._vigil = models.vigils[FEATURES]
        self._planned = planned
        self._watch = watch
        self._waiting: list[tuple[Described, Features]] = []

    def start(self) -> None:
        self._waiting = []
        self._views.start()

    def add(self, described: Described) -> None:
        with self._watch.time(Work.ENGINE), of_detector(FEATURES):
            self._waiting.append((described, self._features(described)))

    def finish(self) -> Fused:
        seen = self._seen()
        words = [(each.planned, self._fuse(each, seen)) for each, _ in self._waiting]
        fused = self._views.finish()
        failed = [(planned, said) for planned, said in words if said is not None]
        return replace(fused, failed=(*fused.failed, *failed))

    def close(self) -> None:
        self.start()
        self._views.close()

    def _fuse(self, described: Described, seen: Features | None) -> str | None:
        """What the engine says where it loses the view."""
        try:
            self._views.add(replace(described, inputs=self._inputs(described, seen)))
        except EngineError as error:
            return str(error)
        return None

    def _features(self, described: Described) -> Features:
        assert described.inputs is not None  # a set has no detector of the whole part
        names = [spec.name for spec in self._engine.inputs]
        found = raw_scores(self._engine, {name: described.inputs[name] for name in names})
        self._vigil.watch(seen_by(self._engine.inputs, described.view), found)
        return found

    def _seen(self) -> Features | None:
        """(1, views, n, d) in the plan's order; None while one lacks."""
        if len(self._waiting) < self._planned:
            return None
        order = sorted(self._waiting, key=lambda each: each[0].planned)
        return np.stack([features for _, features in order])[None]

    def _inputs(self, described: Described, seen: Features | None) -> dict[str, Tensor] | None:
        """Of the first graph; None: it has no say."""
        if seen is None:
            return None
        assert described.inputs is not None  # as above
        offered = {**described.inputs, VIEWS: seen}
        return {name: offered[name] for name in self._asked}
