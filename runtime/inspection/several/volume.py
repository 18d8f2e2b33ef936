"""The volumes of several cameras, over one grid, as one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.nouns import Defect
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.volume import Volume, Voxels

NOBODY = -1  # for voxels whose views are told apart afterwards
MOST_HITS = np.iinfo(np.uint16).max


class Together:
    """Filled once per part, when every camera has said all."""

    def __init__(self, grid: GridSpec) -> None:
        self.volume = Volume(grid)
        self._crew = Crew(1)

    def close(self) -> None:
        """End the helper threads."""
        self._crew.close()

    def defects(
        self, volumes: Mapping[int, Volume], base_from_part: Transform
    ) -> tuple[Defect, ...]:
        """Of all of them, by the number of each camera's first view."""
        self.volume.clear()
        found = [volume.occupied() for volume in volumes.values()]
        for voxels in found:
            self._put(voxels.ijk, voxels.score, NOBODY)
        self.volume.supports.clear()
        for first_view, volume in volumes.items():
            self._support(first_view, volume)
        self._count(found)
        return segment(self.volume, base_from_part)

    def _support(self, first_view: int, volume: Volume) -> None:
        """Which views saw which voxels at the threshold or above."""
        for view, ids in volume.supports.items():
            own = np.unique(np.concatenate(ids)).astype(np.intp)
            self._put(volume.ijk(own).astype(np.int32), volume.score[own], first_view + view)

    def _put(self, ijk: npt.NDArray[np.int32], score: npt.NDArray[np.float32], view: int) -> None:
        centres_mm = self.volume.grid.centres_mm(ijk).astype(np.float32)
        lift_points(self.volume, centres_mm, score, view, self._crew)

    def _count(self, found: list[Voxels]) -> None:
        """Measured points of all cameras together."""
        every = self.volume.occupied()
        numbers = self._numbers(every.ijk)
        hits = np.zeros(len(numbers), np.int64)
        for voxels in found:
            hits[np.searchsorted(numbers, self._numbers(voxels.ijk))] += voxels.hits
        self.volume.hits[every.ids] = np.minimum(hits, MOST_HITS).astype(np.uint16)

    def _numbers(self, ijk: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Growing, as `Voxels` are sorted."""
        _, ny, nz = self.volume.grid.shape
        wide = ijk.astype(np.int64)
        return np.asarray((wide[:, 0] * ny + wide[:, 1]) * nz + wide[:, 2])
