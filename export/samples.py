"""What a model gets when the golden part is put down again: its inputs, and where the part is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.golden import Golden
from export.golden_inputs import view_inputs
from export.nominal import REPEATS, SEED, Again, seen_again_inputs
from export.progress import Bar
from export.source import RawScore, Source
from runtime.crew import Crew
from runtime.engine import Tensor
from runtime.expected import ExpectedView
from runtime.voxels import VoxelGrid

THREADS = 2
VOLUME_REPEATS = 8  # a volume gives one maximum a part where a scan gives one per view


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One run of a model. part: (h, w) bool where the part was measured; None: everywhere."""

    inputs: dict[str, Tensor]
    part: npt.NDArray[np.bool_] | None = None

    def of_part(self, score: RawScore) -> RawScore:
        """The scores that count."""
        return score if self.part is None else score[self.part]


def seen_again_samples(
    golden: Golden, expected: Sequence[ExpectedView], source: Source, bar: Bar
) -> list[list[Sample]]:
    """Some runs; each a sample per view, or one of the whole part for a volume detector."""
    rng = np.random.default_rng(SEED)
    repeats = REPEATS if source.voxels is None else VOLUME_REPEATS
    bar.begin(repeats)
    runs = []
    with Crew(THREADS) as crew:
        for _ in range(repeats):
            again = seen_again_inputs(golden, expected, crew, rng)
            runs.append(_samples(again, golden, expected, source, crew))
            bar.step()
    return runs


def _samples(
    run: Sequence[Again],
    golden: Golden,
    expected: Sequence[ExpectedView],
    source: Source,
    crew: Crew,
) -> list[Sample]:
    if source.voxels is not None:
        return [_volume(run, golden, source)]
    return [
        Sample(_inputs(again, planned, golden, source, crew), known.measured)
        for planned, (again, known) in enumerate(zip(run, expected, strict=True))
    ]


def _inputs(
    again: Again, planned: int, golden: Golden, source: Source, crew: Crew
) -> dict[str, Tensor]:
    names = [spec.name for spec in source.inputs]
    offered = view_inputs(again.view, planned, golden.rays, names, crew, source.fpfh)
    offered.update({name: again.inputs[name] for name in names if name in again.inputs})
    return offered


def _volume(run: Sequence[Again], golden: Golden, source: Source) -> Sample:
    assert source.voxels is not None  # the caller looked
    grid = VoxelGrid(source.voxels)
    for again in run:
        grid.add(again.view, golden.rays, again.reference_from_part, golden.table_z_mm)
    tensors = grid.tensors()
    return Sample({spec.name: tensors[spec.name] for spec in source.inputs})
