"""A detector of the set of views: each view is held against every other, it speaks when the last is
there.

Three graphs, two of them further models of the recipe. `features` is asked about each view as it
comes, `pairs` about it and each that came before, both ways, while the robot still moves; the
recipe's first then makes a map of the least that any view found wrong. After the last view only its
own pairs are left, 2 m - 1 of m^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.timings import Stopwatch, Work
from voxgate.runtime.engines.engine import Tensor, of_detector, raw_scores
from voxgate.runtime.engines.vigil import Seen, seen_by
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.host import Described, Fused, HostFusion, Judge, Models
from voxgate.runtime.recipe.manifest import ERRORS, FEATURES, MODEL, PAIRS, Manifest

Features = npt.NDArray[np.float32]
Errors = npt.NDArray[np.float32]


def of_each_view(manifest: Manifest) -> Manifest:
    """Whose inputs are what one view gives to the recipe's models; of a set to those that are asked
    about one view, without what comes from the others."""
    if manifest.detector != "set":
        return manifest
    features, _ = manifest.detectors
    asked = {spec.name: spec for spec in (*features.inputs, *manifest.inputs)}
    inputs = tuple(spec for name, spec in asked.items() if name != ERRORS)
    return manifest.model_copy(update={"inputs": inputs, "detectors": ()})


def pair_inputs(seen: Mapping[int, Features], source: int, target: int) -> dict[str, Tensor]:
    """Of the graph `pairs`: the features (n, d) of two views, and which they are."""
    return {
        "source": seen[source][None, None],
        "target": seen[target][None, None],
        "pair": np.array([source, target], np.uint8).reshape(1, 1, 1, 2),
    }


class SetFusion:
    """Views wait until all `planned` are there; `views` then fuses them one by one, each with the
    detector's word on it. Of a set with a gap it says nothing."""

    def __init__(self, views: HostFusion, models: Models, planned: int, watch: Stopwatch) -> None:
        self._views = views
        self._models = models
        self._asked = [spec.name for spec in models.engines[MODEL].inputs]
        self._planned = planned
        self._watch = watch
        self._forget()

    def start(self) -> None:
        self._forget()
        self._views.start()

    def add(self, described: Described, judge: Judge) -> Described:
        _, judged = self._views.beside(lambda: self._hold(described), described, judge)
        self._waiting.append(judged)
        return judged

    def finish(self) -> Fused:
        words = [(each.planned, self._fuse(each)) for each in self._waiting]
        fused = self._views.finish()
        failed = [(planned, said) for planned, said in words if said is not None]
        return replace(fused, failed=(*fused.failed, *failed))

    def close(self) -> None:
        self.start()
        self._views.close()

    def _forget(self) -> None:
        self._waiting: list[Described] = []
        self._seen: dict[int, Features] = {}
        self._errors: dict[int, Errors] = {}

    def _hold(self, described: Described) -> None:
        """What it shows, and what that says beside every view that is here."""
        with self._watch.time(Work.ENGINE):
            self._seen[described.planned] = self._features(described)
            self._hold_against_all(described.planned)

    def _hold_against_all(self, new: int) -> None:
        """The least of what every view here finds wrong in every other, with the new one."""
        for other in self._seen:
            for source, target in {(other, new), (new, other)}:
                found = self._ask(PAIRS, pair_inputs(self._seen, source, target))
                least = self._errors.get(target, found)
                self._errors[target] = np.minimum(least, found)

    def _features(self, described: Described) -> Features:
        assert described.inputs is not None  # a set has no detector of the whole part
        engine = self._models.engines[FEATURES]
        inputs = {spec.name: described.inputs[spec.name] for spec in engine.inputs}
        return self._ask(FEATURES, inputs, seen_by(engine.inputs, described.view))

    def _ask(self, name: str, inputs: dict[str, Tensor], seen: Seen | None = None) -> Features:
        """Raises EngineError in the detector's name. seen: where an input's memory is lent only."""
        with of_detector(name):
            found = raw_scores(self._models.engines[name], inputs)
            self._models.vigils[name].watch(tuple(inputs.values()) if seen is None else seen, found)
        return found

    def _fuse(self, described: Described) -> str | None:
        """What the engine says where it loses the view."""
        try:
            asked = replace(described, inputs=self._inputs(described))
            self._views.add(asked, lambda crew: described.registered)
        except EngineError as error:
            return str(error)
        return None

    def _inputs(self, described: Described) -> dict[str, Tensor] | None:
        """Of the first graph; None: it has no say."""
        if len(self._waiting) < self._planned:
            return None
        assert described.inputs is not None  # as above
        offered = {**described.inputs, ERRORS: self._errors[described.planned][None, None]}
        return {name: offered[name] for name in self._asked}
