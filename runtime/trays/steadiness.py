"""Did every view see the instances where the others did? A view from elsewhere, or one that moved.

What one view measured of an instance is shifted until it lies best on what all views together say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.trays.kernels.fields import sample
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
        fields = np.stack([field, *np.gradient(field, grid.voxel_mm)], axis=-1, dtype=np.float32)
        for number in instance.seen_by:
            points = instance.points[instance.view_of == number]
            if len(points) >= LEAST_POINTS:
                some = points[:: max(1, len(points) // POINTS)].astype(np.float64)
                shift = _shift(apply(invert(world), some), fields, grid)
                found[number, column] = np.linalg.norm(shift)
    return found


def _shift(
    points: Points,
    fields: npt.NDArray[np.float32],
    grid: Grid,
) -> Points:
    """(3,) that brings points (n, 3) onto the surface, mm; Geman-McClure weights. fields: (k, m, n,
    4) distance and its slopes."""
    shift = np.zeros(3)
    scale_mm = SCALE_VOXELS * grid.voxel_mm
    for _ in range(STEPS):
        here = np.empty((len(points), 4))
        sample(fields, grid.cells(points + shift), clamp=True, found=here)
        value, normal = here[:, 0], here[:, 1:]
        weight = 1 / (1 + np.square(value / (2 * scale_mm))) ** 2
        weighted = normal * weight[:, None]
        hessian = weighted.T @ normal + 1e-2 * len(points) * np.eye(3)
        shift = shift - np.linalg.solve(hessian, weighted.T @ value)
    return shift
