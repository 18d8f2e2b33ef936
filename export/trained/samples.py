"""What a model gets when the golden part is put down again: its inputs, and where the part is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import view_inputs
from voxgate.export.golden.seen_again import REPEATS, SEED, Again, seen_again_inputs
from voxgate.export.golden.strange import (
    MILD_VIEWS,
    WILD_VIEWS,
    Alter,
    marked,
    mild_cubes,
    wild_cubes,
)
from voxgate.export.progress import Bar
from voxgate.export.source import RawScore, Source
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.fusion.together import Errors, Features, pair_inputs
from voxgate.runtime.fusion.voxels import VoxelGrid
from voxgate.runtime.pixels.colour import in_front
from voxgate.runtime.recipe.manifest import ERRORS

THREADS = 2
VOLUME_REPEATS = 8  # a volume gives one maximum a part where a scan gives one per view
ALTERED_VIEWS = 2  # opposite ones; every view is marked besides


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One run of a model.

    part: (h, w) bool where the part was measured; None: everywhere. view: the planned viewpoint.
    strange: what was done to it, see `export.strange`; empty: nothing. Of a set, shown: what the
    view gave; features: (n, d), what was seen of it.
    """

    inputs: dict[str, Tensor]
    part: npt.NDArray[np.bool_] | None = None
    view: int = 0
    strange: str = ""
    shown: Mapping[str, Tensor] = field(default_factory=dict)
    features: Features = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def of_part(self, score: RawScore) -> RawScore:
        """The scores that count."""
        return score if self.part is None else score[self.part]

    def peak(self, score: RawScore) -> float:
        """The largest score that counts."""
        return float(self.of_part(score).max(initial=0.0))


@dataclass(frozen=True, slots=True, eq=False)
class SeenAgain:
    """The golden part put down again some times, and what no good part looks like.

    runs: a sample per view each, or one of the whole part for a volume detector. mild, wild: made
    from the last of them, see `export.strange`. teaching: mild ones, made from the first.
    """

    runs: list[list[Sample]]
    mild: list[Sample]
    wild: list[Sample]
    teaching: list[Sample]

    @property
    def strange(self) -> list[Sample]:
        """All of the last run's."""
        return [*self.mild, *self.wild]


def seen_again_samples(
    golden: Golden, expected: Sequence[ExpectedView], source: Source, bar: Bar
) -> SeenAgain:
    """Put the golden part down again. Raises ScanError when it is not found again."""
    rng = np.random.default_rng(SEED)
    repeats = REPEATS if source.voxels is None else VOLUME_REPEATS
    bar.begin(repeats)
    runs, again = [], []
    with Crew(THREADS) as crew:
        maker = _Maker(golden, expected, source, crew)
        for _ in range(repeats):
            again.append(seen_again_inputs(golden, expected, crew, rng))
            runs.append(maker.samples(again[-1]))
            bar.step()
        return SeenAgain(
            runs,
            mild=maker.mild(again[-1], runs[-1]),
            wild=maker.wild(again[-1], runs[-1]),
            teaching=maker.mild(again[0], runs[0]),
        )


def compared(seen: SeenAgain) -> tuple[list[Sample], list[Sample]]:
    """Samples to hold a graph to its model by, and the strange ones that must not fall below 1.0.

    Every viewpoint is there once, as it is or marked, none as the graph was calibrated on; and
    under other light.
    """
    plain = seen.runs[-1][::2]
    mild = [s for s in seen.mild if s.part is None or s.strange != "marked" or s.view % 2]
    chosen = [*plain, *mild]
    return chosen, [sample for sample in seen.strange if sample not in mild]


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    """Makes the samples of one source."""

    golden: Golden
    expected: Sequence[ExpectedView]
    source: Source
    crew: Crew

    def samples(self, run: Sequence[Again]) -> list[Sample]:
        if self.source.voxels is not None:
            return [self._volume(run)]
        return self._together([self._view(again, planned) for planned, again in enumerate(run)])

    def mild(self, run: Sequence[Again], samples: Sequence[Sample]) -> list[Sample]:
        if self.source.voxels is not None:
            cubes = mild_cubes(samples[0].inputs)
            return [Sample(inputs, strange=name) for name, inputs in cubes.items()]
        marks = [self._altered(run, planned, marked) for planned in range(len(run))]
        return self._beside([*marks, *self._some(run, MILD_VIEWS[1:])], samples)

    def wild(self, run: Sequence[Again], samples: Sequence[Sample]) -> list[Sample]:
        if self.source.voxels is not None:
            cubes = wild_cubes(samples[0].inputs, np.random.default_rng(SEED))
            return [Sample(inputs, strange=name) for name, inputs in cubes.items()]
        return self._beside(self._some(run, WILD_VIEWS), samples)

    def _some(self, run: Sequence[Again], kinds: Sequence[Alter]) -> list[Sample]:
        chosen = range(0, len(run), -(-len(run) // ALTERED_VIEWS))
        return [self._altered(run, planned, kind) for kind in kinds for planned in chosen]

    def _altered(self, run: Sequence[Again], planned: int, kind: Alter) -> Sample:
        rng = np.random.default_rng(SEED + planned)
        part = self.expected[planned].measured
        view = kind(run[planned].view, part, rng)
        inputs = {**run[planned].inputs, "image": in_front(view.picture)}
        again = replace(run[planned], view=view, inputs=inputs)
        return replace(self._view(again, planned), strange=kind.__name__)

    def _view(self, again: Again, planned: int) -> Sample:
        names = [spec.name for spec in self.source.shown]
        rays, section = self.golden.rays, self.source.section
        offered = view_inputs(again.view, planned, rays, names, self.crew, section)
        offered.update({name: again.inputs[name] for name in names if name in again.inputs})
        return Sample(offered, self.expected[planned].measured, planned)

    def _together(self, samples: list[Sample]) -> list[Sample]:
        """Of a set: each view beside all others."""
        if self.source.together is None:
            return samples
        seen = [self._seen(sample) for sample in samples]
        return [self._beside_all(sample, seen) for sample in seen]

    def _beside(self, altered: list[Sample], others: Sequence[Sample]) -> list[Sample]:
        """Of a set: one view altered, the others as they are."""
        if self.source.together is None:
            return altered
        return [self._beside_all(self._seen(sample), others) for sample in altered]

    def _seen(self, sample: Sample) -> Sample:
        assert self.source.together is not None  # the callers looked
        features = self.source.together[0].original(sample.inputs)
        return replace(sample, shown=sample.inputs, features=features)

    def _beside_all(self, sample: Sample, others: Sequence[Sample]) -> Sample:
        """With the least error that any view finds in it, itself among them."""
        seen = {each.view: each.features for each in others} | {sample.view: sample.features}
        found = [self._errors(seen, source, sample.view) for source in seen]
        offered = {**sample.shown, ERRORS: np.min(found, axis=0)[None, None]}
        return replace(
            sample, inputs={spec.name: offered[spec.name] for spec in self.source.inputs}
        )

    def _errors(self, seen: Mapping[int, Features], source: int, target: int) -> Errors:
        assert self.source.together is not None  # the callers looked
        return self.source.together[1].original(pair_inputs(seen, source, target))

    def _volume(self, run: Sequence[Again]) -> Sample:
        assert self.source.voxels is not None  # the caller looked
        grid = VoxelGrid(self.source.voxels)
        for again in run:
            grid.add(
                again.view, self.golden.rays, again.reference_from_part, self.golden.table_z_mm
            )
        tensors = grid.tensors()
        return Sample({spec.name: tensors[spec.name] for spec in self.source.inputs})
