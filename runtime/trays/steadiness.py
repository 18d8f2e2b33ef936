"""Did every view see the instances where the others did? A view from elsewhere, or one that moved.

What one view measured of an instance is shifted until it lies best on what all views together say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.trays.kernels.fields import add_slopes, shift_onto
from voxgate.runtime.trays.surface import Grid, Surface
from voxgate.runtime.trays.tray import Instance

POINTS = 400  # of one view on one instance
LEAST_POINTS = 60
STEPS = 8
SCALE_VOXELS = 1.0  # of the robust weights


def shifts_mm(
    instances: Sequence[Instance],
    surfaces: Sequence[Surface],
    worlds: Sequence[Transform],
    grid: Grid,
    views: int,
) -> npt.NDArray[np.float64]:
    """(views, instances): by how much what each view measured lies off; NaN: too little of it.

    worlds: world_from_grid of each instance.
    """
    found = np.full((views, len(instances)), np.nan)
    scale_mm = SCALE_VOXELS * grid.voxel_mm
    fields = np.empty((*grid.shape, 4), np.float32)
    for column, (instance, surface, world) in enumerate(
        zip(instances, surfaces, worlds, strict=True)
    ):
        add_slopes(surface.average_mm, grid.voxel_mm, grid.reach_mm, fields)
        onto = invert(world)
        for number, points in _by_view(instance):
            cells = grid.cells(apply(onto, points))
            found[number, column] = shift_onto(fields, cells, grid.voxel_mm, scale_mm, STEPS)
    return found


def _by_view(instance: Instance) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Every view that measured enough of it, and some of those points, world frame."""
    order = np.argsort(instance.view_of, kind="stable")
    ends = np.cumsum(np.bincount(instance.view_of))
    for number in instance.seen_by:
        own = order[ends[number - 1] if number else 0 : ends[number]]
        if len(own) >= LEAST_POINTS:
            some = own[:: max(1, len(own) // POINTS)]
            yield number, instance.points[some].astype(np.float64)
