"""What the networks of MVTec 3D-AD see of golden scans: depth pictures or grids, some held back.

One part is a set as SiM3D uses it: its views, a tenth of them held back with their turned copies.
A grid is of all views together, so there a tenth of the turned copies is held back: what is
measured on them tells how well the network recalls this part, not how it meets another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from voxgate.export.golden.gloss import part_points
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.turned import MOST_DEG, TIMES, turn_about, turned_view
from voxgate.export.methods.mvtec.inputs import golden_cube, plain_depth, plain_voxels
from voxgate.export.methods.mvtec.networks import DEPTH_PX
from voxgate.runtime.errors import ScanError
from voxgate.runtime.fusion.voxels import VoxelGrid
from voxgate.runtime.nouns import View

SIDE = (DEPTH_PX, DEPTH_PX)
HELD_BACK = 0.1  # of the views or copies; at least one

Planes = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """learnt, held (n, channels, ...) float32, what the encoder takes."""

    learnt: torch.Tensor
    held: torch.Tensor


def depth_samples(
    goldens: Sequence[Golden], far_mm: float, colour: bool, seed: int, times: int = TIMES
) -> Samples:
    """256 x 256 pictures of every view and of its turned copies. Raises ScanError for one view."""
    rng = np.random.default_rng(seed)
    views = [(golden, view) for golden in goldens for view in golden.views]
    back = held_back(len(views), rng)
    learnt: list[Planes] = []
    held: list[Planes] = []
    for number, (golden, view) in enumerate(views):
        found = held if number in back else learnt
        found += _depth_of(golden, view, far_mm, colour, _angles(rng, times))
    return Samples(_joined(learnt), _joined(held))


def voxel_samples(
    goldens: Sequence[Golden], colour: bool, seed: int, times: int = TIMES
) -> Samples:
    """64^3 grids of every scan and of its turned copies, in the first scan's cube. Raises ScanError
    for a single one."""
    rng = np.random.default_rng(seed)
    section = golden_cube(goldens[0])
    grids: list[Planes] = []
    for golden in goldens:
        grid, middle = VoxelGrid(section), _middle_mm(golden)
        for angle in _angles(rng, times):
            grid.clear()
            for view in golden.views:
                grid.add(view, golden.rays, turn_about(middle, angle), golden.table_z_mm)
            grids.append(plain_voxels(grid.tensors(), colour))
    if len(grids) == 1:
        raise ScanError(
            "of one grid nothing is left to learn when a tenth is held back: type --turned 1 or "
            "more"
        )
    back = {1 + number for number in _a_tenth(len(grids) - 1, rng)}
    learnt = [grid for number, grid in enumerate(grids) if number not in back]
    return Samples(_joined(learnt), _joined([grids[number] for number in sorted(back)]))


def _depth_of(
    golden: Golden, view: View, far_mm: float, colour: bool, angles: Sequence[float]
) -> Iterator[Planes]:
    middle = _middle_mm(golden)
    for angle in angles:
        given = turned_view(view, golden.rays, turn_about(middle, angle))
        yield plain_depth(given, golden.rays, SIDE, far_mm, colour)


def _angles(rng: np.random.Generator, times: int) -> list[float]:
    """As it is first, radians."""
    return [0.0, *np.deg2rad(rng.uniform(-MOST_DEG, MOST_DEG, times)).tolist()]


def _middle_mm(golden: Golden) -> npt.NDArray[np.float64]:
    """(2,) of the part's box on the table."""
    points = [part_points(view, golden.rays, golden.table_z_mm)[1] for view in golden.views]
    together = np.concatenate(points)[:, :2]
    return np.asarray((together.min(axis=0) + together.max(axis=0)) / 2)


def held_back(count: int, rng: np.random.Generator) -> set[int]:
    """Numbers of the views that nothing is learnt from: a tenth, at least one. Raises ScanError
    where none would be left."""
    if count < 2:
        raise ScanError(
            "of one view nothing is left to learn when a tenth is held back: record a golden scan "
            "of several views"
        )
    return _a_tenth(count, rng)


def _a_tenth(count: int, rng: np.random.Generator) -> set[int]:
    return set(rng.permutation(count)[: max(1, round(HELD_BACK * count))].tolist())


def _joined(planes: Sequence[Planes]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(planes))
