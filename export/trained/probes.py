"""Which inputs prove an engine at load: it must say over the threshold what the recipe's did."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from voxgate.export.packing.recipe_parts import probes_of
from voxgate.export.source import Source
from voxgate.export.trained.samples import Sample, SeenAgain
from voxgate.runtime.engines.engine import Engine, Tensor, raw_scores
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.contents import Probe

MARKED = 2  # viewpoints whose marked view is a probe
MID_GREY = 128


def proving_probes(engine: Engine, source: Source, seen: SeenAgain) -> tuple[Probe, ...]:
    """What the recipe's graph says of the samples that prove it.

    Raises EngineError unless a score over the threshold is among them: an engine that cuts scores
    off below it would be proven by the others.
    """
    probes = probes_of(engine, [s.inputs for s in probe_samples(engine, source, seen)])
    top = max(float(probe.score.max()) for probe in probes)
    if not top > 1.0:
        raise EngineError(
            f"the strangest of the recipe's probes scores {top:.3g} of the threshold, so no probe "
            "would notice an engine that never says more: name a lower --threshold"
        )
    return probes


def probe_samples(engine: Engine, source: Source, seen: SeenAgain) -> list[Sample]:
    """Marked views, and the strangest input if no mark is over the threshold.

    Where each viewpoint has constants of its own, a flat board is shown to every one of them: it
    compresses to nothing, and every pixel of it compares a constant.
    """
    marked = [sample for sample in seen.mild if sample.strange == "marked"][:MARKED]
    found = marked if _peak(engine, marked) > 1.0 else [*marked, _strangest(engine, seen)]
    if "view" in seen.runs[0][0].inputs:
        found = [*found, *map(_flat, seen.runs[0])]
    return found


def _strangest(engine: Engine, seen: SeenAgain) -> Sample:
    """A mild one if it is over the threshold: far off the golden part precisions part company."""
    best = max(seen.mild, key=lambda sample: _peak(engine, [sample]))
    if _peak(engine, [best]) > 1.0:
        return best
    return max(seen.strange, key=lambda sample: _peak(engine, [sample]))


def _peak(engine: Engine, samples: Iterable[Sample]) -> float:
    return max(s.peak(raw_scores(engine, dict(s.inputs))) for s in samples)


def _flat(sample: Sample) -> Sample:
    """The same viewpoint on a board: one grey, one distance."""
    return Sample({name: _board(name, tensor) for name, tensor in sample.inputs.items()})


def _board(name: str, tensor: Tensor) -> Tensor:
    if name == "view":
        return tensor
    if name == "depth_mm":
        depth_mm = np.asarray(tensor, np.float32)
        return np.full_like(depth_mm, np.median(depth_mm[depth_mm > 0]))
    return np.full_like(tensor, MID_GREY if tensor.dtype == np.uint8 else 0)
