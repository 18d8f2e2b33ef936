"""How each instance is moved to where it fits what all agree on.

They were placed on one of them, whose own scatter pulled them all, and by fewer views than came
since. What is left is small: it is found, and taken out of the distances, to first order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.trays.surface import Field, Grid, Mask, Surface

LEAST_SETTLED = 100  # voxels of believed surface, to move an instance by
SETTLE_STEPS = 5

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A small one, grid frame: turn_rad (3,) about centre_mm (3,), and shift_mm (3,)."""

    centre_mm: Values
    turn_rad: Values
    shift_mm: Values

    def along(self, points_mm: Values) -> Values:
        """(n, 3) by how much points (n, 3) move, to first order."""
        return np.cross(self.turn_rad, points_mm - self.centre_mm) + self.shift_mm


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """The median of all instances where it has a slope. at: (n,) flat voxels of grid; points_mm and
    normals (n, 3); distance_mm (n,)."""

    grid: Grid
    at: npt.NDArray[np.intp]
    points_mm: Values
    normals: Values
    distance_mm: npt.NDArray[np.float32]

    @classmethod
    def of(cls, median_mm: Field, grid: Grid) -> Common:
        """median_mm: (k, m, n), NaN where nobody knows."""
        slope = np.stack([*np.gradient(median_mm, grid.voxel_mm)], axis=-1).astype(np.float32)
        known: Mask = (np.abs(median_mm) < grid.reach_mm) & np.isfinite(slope).all(axis=-1)
        return cls(
            grid,
            np.flatnonzero(known),
            grid.centres_mm(np.argwhere(known)),
            slope[known].astype(np.float64),
            median_mm[known],
        )

    def motion(self, surface: Surface) -> Motion | None:
        """Brings an instance onto it; None: too little of it is seen."""
        own = surface.distance_mm.reshape(-1)[self.at]
        use = np.isfinite(own) & surface.steady.reshape(-1)[self.at]
        use &= np.abs(self.distance_mm) < self.grid.voxel_mm
        if use.sum() < LEAST_SETTLED:
            return None
        points, normals = self.points_mm[use], self.normals[use]
        centre = points.mean(axis=0)
        rows = np.concatenate([np.cross(points - centre, normals), normals], axis=1)
        step = _robust(rows, (own - self.distance_mm)[use].astype(np.float64))
        return Motion(centre, step[:3], step[3:])

    def settled(self, surface: Surface) -> Surface:
        """The instance, moved by its motion."""
        motion = self.motion(surface)
        if motion is None:
            return surface
        moved = surface.distance_mm.copy()
        along = (motion.along(self.points_mm) * self.normals).sum(axis=1)
        moved.reshape(-1)[self.at] -= along.astype(np.float32)
        return replace(surface, distance_mm=moved)


def _robust(rows: Values, left: Values) -> Values:
    """(6,) least squares, Geman-McClure weights."""
    motion = np.zeros(rows.shape[1])
    for _ in range(SETTLE_STEPS):
        apart = left - rows @ motion
        scale = max(1e-6, 1.4826 * float(np.median(np.abs(apart))))
        weight = 1 / (1 + np.square(apart / (2 * scale))) ** 2
        weighted = rows * weight[:, None]
        motion = np.linalg.solve(weighted.T @ rows + 1e-6 * np.eye(len(motion)), weighted.T @ left)
    return motion
