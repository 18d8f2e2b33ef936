"""The variation model of MVTec 3D-AD (section 4.1): deviation from the mean in deviations.

Depth: mean and standard deviation per pixel of each planned viewpoint, at the picture's own
resolution; the graph selects the viewpoint by the input `view`. Voxels: per cell of the 64^3 grid.
With colour the grey level counts as three channels; Mahalanobis with a diagonal covariance.

It is trained here: on the train folder of a class of MVTec 3D-AD, or from the golden part put down
again some times, as one scan has no spread of its own. A floor keeps what never varied from being
infinitely strange. A surface near a cell's border falls into the next cell of one part in a
hundred, which no number of training parts finds for every cell: the statistics of a cell are taken
over its neighbours too, weighted 1 2 1 along each axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import correlate1d
from torch import nn

from voxgate.export.features.preprocessing import GREY_LEVELS
from voxgate.export.golden.disturbance import GREY_NOISE
from voxgate.export.golden.gloss import gloss
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.seen_again import SEED, seen_again_inputs
from voxgate.export.methods.mvtec.inputs import (
    DepthPlanes,
    VoxelPlanes,
    depth_inputs,
    golden_cube,
    plain_depth,
    plain_voxels,
    voxel_inputs,
)
from voxgate.export.methods.mvtec.train_folder import train_files, train_views
from voxgate.export.packing.recipe_parts import expected_views
from voxgate.export.progress import Bar, Progress
from voxgate.export.source import RawScore, Source
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.fusion.voxels import VoxelGrid
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.manifest import VoxelSection
from voxgate.runtime.transforms import Transform

METHOD = "variation"
REPEATS = 6  # times the part is put down again; the deviation of seven values is known to a quarter
LEAST_MM = 0.2  # a few steps of a depth sensor; less is not a property of the part
LEAST_GREY = GREY_NOISE / GREY_LEVELS
LEAST_OCCUPANCY = 0.2  # of the step from -1 to 1: a surface in the cell's border flickers so
NEIGHBOURS = (0.25, 0.5, 0.25)
WIDEST = 2.0  # from -1 to 1
THREADS = 2

Planes = npt.NDArray[np.float64]
Put = tuple[Sequence[View], Transform]
"""One time the part was put down: its views, and how it stood against the golden one."""


@dataclass(frozen=True, slots=True)
class VariationOptions:
    """volume: voxels instead of depth pictures. train: folder of good parts of one camera, of MVTec
    3D-AD; None: the golden part put down again."""

    volume: bool = False
    colour: bool = False
    train: Path | None = None


class DepthVariation(nn.Module):
    """depth_mm, [image], view -> deviations from this viewpoint's mean, (1, 1, h, w)."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, planes: DepthPlanes, mean: Planes, deviation: Planes) -> None:
        super().__init__()
        self.planes = planes
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("deviation", torch.from_numpy(deviation.astype(np.float32)))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        view = inputs[-1].long().reshape(1)
        mean, deviation = self.mean[view], self.deviation[view]
        apart = (self.planes(*inputs[:-1]) - mean) / deviation
        return apart.square().sum(dim=1, keepdim=True).sqrt()


class VoxelVariation(nn.Module):
    """occupied, [grey] -> deviations from the mean, (1, 1, n, n, n)."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, colour: bool, mean: Planes, deviation: Planes) -> None:
        super().__init__()
        self.planes = VoxelPlanes(colour)
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("deviation", torch.from_numpy(deviation.astype(np.float32)))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        apart = (self.planes(*inputs) - self.mean) / self.deviation
        return apart.square().sum(dim=1, keepdim=True).sqrt()


def load_variation(golden: Golden, options: VariationOptions, on_progress: Progress) -> Source:
    """Train on the golden scan. Raises ScanError when the part is not found again."""
    if options.train is None:
        puts: Iterable[Put] = _put_down(golden, on_progress)
        learnt = f"the golden scan and {REPEATS} times the part put down again"
    else:
        puts = (((view,), np.eye(4)) for view in train_views(options.train, golden))
        learnt = f"{len(train_files(options.train))} good samples of {options.train.name}"
    provenance = {
        "shape": "voxel" if options.volume else "depth",
        "colour": options.colour,
        "trained_on": learnt,
    }
    if options.volume:
        return _volume(golden, options, puts, provenance)
    return _depth(golden, options, puts, provenance)


def _depth(
    golden: Golden,
    options: VariationOptions,
    puts: Iterable[Put],
    provenance: Mapping[str, object],
) -> Source:
    rays, size = golden.rays, golden.rays.x.shape

    def planes_of(inputs: Mapping[str, Tensor]) -> Planes:
        found = plain_depth(inputs, rays, size, 1.0, options.colour)[0]
        return np.asarray(found, np.float64)

    views = (np.stack([planes_of(_view_inputs(view)) for view in put]) for put, _ in puts)
    mean, deviation = _statistics(views, _floor(LEAST_MM, options.colour))

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        view = int(np.asarray(inputs["view"]).item())
        apart = (planes_of(inputs) - mean[view]) / deviation[view]
        return np.asarray(np.sqrt((apart**2).sum(axis=0)), np.float32)

    planes = DepthPlanes(rays, size, 1.0, options.colour)
    return Source(
        method=METHOD,
        inputs=depth_inputs(golden, options.colour, "view"),
        network=DepthVariation(planes, mean, deviation),
        original=original,
        provenance=provenance,
    )


def _volume(
    golden: Golden,
    options: VariationOptions,
    puts: Iterable[Put],
    provenance: Mapping[str, object],
) -> Source:
    section = golden_cube(golden)
    grids = (plain_voxels(_voxels(golden, section, put), options.colour)[0] for put in puts)
    mean, deviation = _statistics_around(grids, LEAST_OCCUPANCY)

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        apart = (plain_voxels(inputs, options.colour)[0] - mean) / deviation
        return np.asarray(np.sqrt((apart**2).sum(axis=0)), np.float32)

    return Source(
        method=METHOD,
        detector="volume",
        inputs=voxel_inputs(section, options.colour),
        network=VoxelVariation(options.colour, mean, deviation),
        original=original,
        provenance=provenance,
        voxels=section,
        bound=float(WIDEST / LEAST_OCCUPANCY * np.sqrt(len(mean))),
    )


def _put_down(golden: Golden, on_progress: Progress) -> list[Put]:
    """The golden scan as it is, then the part put down again."""
    bar = Bar(on_progress)
    bar.begin(len(golden.views) + REPEATS)
    flicker = gloss(golden.views, golden.rays, golden.table_z_mm, golden.unreturned.depth_mm)
    expected = expected_views(golden, flicker, bar)
    rng = np.random.default_rng(SEED + 1)  # not the ones the threshold is found with
    puts: list[Put] = [(golden.views, np.eye(4))]
    bar.say("put the golden part down again")
    with Crew(THREADS) as crew:
        for _ in range(REPEATS):
            again = seen_again_inputs(golden, expected, crew, rng)
            puts.append(([one.view for one in again], again[0].reference_from_part))
            bar.step()
    return puts


def _statistics(values: Iterable[Planes], floor: Planes) -> tuple[Planes, Planes]:
    """Mean and deviation of arrays of one shape, the latter no less than the floor."""
    mean, of_squares = _moments(values)
    return mean, np.maximum(np.sqrt(np.maximum(of_squares - mean**2, 0.0)), floor)


def _statistics_around(grids: Iterable[Planes], floor: float) -> tuple[Planes, Planes]:
    """As `_statistics` of grids (channels, n, n, n), over each cell's neighbours too."""
    mean, of_squares = (_around(planes) for planes in _moments(grids))
    return mean, np.maximum(np.sqrt(np.maximum(of_squares - mean**2, 0.0)), floor)


def _moments(values: Iterable[Planes]) -> tuple[Planes, Planes]:
    """Means of values and of their squares; hundreds of pictures pass one by one."""
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for each in values:
        wide = np.asarray(each, np.float64)
        count, total, squares = count + 1, total + wide, squares + wide**2
    return total / count, squares / count


def _around(planes: Planes) -> Planes:
    """Weighted mean over 3 x 3 x 3 cells."""
    for axis in (1, 2, 3):
        planes = correlate1d(planes, NEIGHBOURS, axis=axis, mode="nearest")
    return planes


def _floor(least: float, colour: bool) -> Planes:
    """(channels, 1, 1): of the distance, then of the three colours."""
    return np.array([least, *([LEAST_GREY] * 3 if colour else [])])[:, None, None]


def _view_inputs(view: View) -> dict[str, Tensor]:
    assert view.depth_mm is not None  # load_golden refuses a scan without
    depth_mm = np.nan_to_num(view.depth_mm, nan=0.0)
    return {"image": view.image[None, None], "depth_mm": depth_mm[None, None]}


def _voxels(golden: Golden, section: VoxelSection, put: Put) -> dict[str, Tensor]:
    grid = VoxelGrid(section)
    views, reference_from_part = put
    for view in views:
        grid.add(view, golden.rays, reference_from_part, golden.table_z_mm)
    return grid.tensors()
