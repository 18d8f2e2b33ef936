"""The instances fused while views still come: after the last one there is one view left to fuse.

Which voxels lie near a surface is clear only in the end. What was fused of others is left out then,
and what is missing is fused by all views: the sums are those of fusing everything at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import apply
from voxgate.runtime.trays.placing import sample
from voxgate.runtime.trays.standing import Standing
from voxgate.runtime.trays.surface import (
    SUMS,
    Mask,
    Prepared,
    Surface,
    add_views,
    agreed,
    near,
)

CLOUD = 20_000  # points of an instance, to tell which voxels lie near it


class Fused:
    """What the views say of the voxels near any instance; owned and called by one thread."""

    def __init__(
        self, standing: Standing, views: Sequence[Prepared], rays: Rays, crew: Crew
    ) -> None:
        self.standing = standing
        self._rays = rays
        self._crew = crew
        self._views = list(views)
        self._row = np.full(standing.grid.shape, -1, np.int32)
        self._voxels = np.zeros((0, 3), np.int32)
        self._sums = np.zeros((len(standing.whole), SUMS, 0), np.float32)
        self._widen(_near_any(standing))

    def add(self, views: Sequence[Prepared]) -> None:
        """Take in what came since."""
        self._views += views
        self._fuse(self._sums, views, self._voxels)

    def surfaces(self, standing: Standing) -> list[Surface]:
        """Of each, by all views; standing: the same instances on the same places, by more points,
        in whichever order."""
        wanted = _near_any(standing)
        self._widen(wanted)
        voxels, rows = np.argwhere(wanted).astype(np.int32), self._row[wanted]
        order = self.standing.same(standing.whole)
        assert order is not None  # they are the same
        return [
            agreed(self._sums[index][:, rows], voxels, standing.grid, len(self._views))
            for index in order
        ]

    def _widen(self, wanted: Mask) -> None:
        """Fuse what is not yet, by all views."""
        new = wanted & (self._row < 0)
        voxels = np.argwhere(new).astype(np.int32)
        self._row[new] = np.arange(len(self._voxels), len(self._voxels) + len(voxels))
        sums = np.zeros((len(self._sums), SUMS, len(voxels)), np.float32)
        self._fuse(sums, self._views, voxels)
        self._voxels = np.concatenate([self._voxels, voxels])
        self._sums = np.concatenate([self._sums, sums], axis=2)

    def _fuse(
        self,
        sums: npt.NDArray[np.float32],
        views: Sequence[Prepared],
        voxels: npt.NDArray[np.int32],
    ) -> None:
        grid = self.standing.grid
        for own, world in zip(sums, self.standing.worlds, strict=True):
            add_views(own, views, self._rays, grid, world, voxels, self._crew)


def _near_any(standing: Standing) -> Mask:
    pairs = zip(standing.whole, standing.placed, strict=True)
    clouds = (apply(placed.grid_from_world, sample(each, CLOUD)) for each, placed in pairs)
    return near(standing.grid, clouds)
