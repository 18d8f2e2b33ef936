"""Did every view see the instances where the others did? A view from elsewhere, or one that moved.

What one view measured of an instance is shifted until it lies best on what all views together say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.trays.surface import Grid, Surface
from voxgate.runtime.trays.tray import Instance

Points = npt.NDArray[np.float64]

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
    for column, (instance, surface, world) in enumerate(
        zip(instances, surfaces, worlds, strict=True)
    ):
        field = np.where(np.isfinite(surface.average_mm), surface.average_mm, grid.reach_mm)
        slopes = [*np.gradient(field, grid.voxel_mm)]
        for number in instance.seen_by:
            points = instance.points[instance.view_of == number]
            if len(points) >= LEAST_POINTS:
                some = points[:: max(1, len(points) // POINTS)].astype(np.float64)
                shift = _shift(apply(invert(world), some), field, slopes, grid)
                found[number, column] = np.linalg.norm(shift)
    return found


def _shift(
    points: Points,
    field: npt.NDArray[np.float32],
    slopes: Sequence[npt.NDArray[np.float32]],
    grid: Grid,
) -> Points:
    """(3,) that brings points (n, 3) onto the surface, mm; Geman-McClure weights."""
    shift = np.zeros(3)
    scale_mm = SCALE_VOXELS * grid.voxel_mm
    for _ in range(STEPS):
        cell = ((points + shift - grid.origin_mm) / grid.voxel_mm - 0.5).T
        value = ndimage.map_coordinates(field, cell, order=1, mode="nearest")
        normal = np.stack(
            [ndimage.map_coordinates(each, cell, order=1, mode="nearest") for each in slopes],
            axis=-1,
        )
        weight = 1 / (1 + np.square(value / (2 * scale_mm))) ** 2
        weighted = normal * weight[:, None]
        hessian = weighted.T @ normal + 1e-2 * len(points) * np.eye(3)
        shift = shift - np.linalg.solve(hessian, weighted.T @ value)
    return shift
