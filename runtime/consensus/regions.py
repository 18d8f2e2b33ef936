"""The expected surface in regions, of some 8 mm, which gather what is said of their pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.consensus.region_kernels import find_members
from voxgate.runtime.volume.grid import GridSpec

CELL_MM = 4.0  # regions lie this far apart
RIM_MM = 2.0  # around its cell a region reaches this far: 8 mm across, and neighbours overlap

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Cubes of the grid that hold surface, and of each the pieces of surface in it and around it.

    cell: (n,) int32, of every piece the region in whose middle it lies. starts: (m + 1,), members:
    piece numbers; those of region r are members[starts[r] : starts[r + 1]], its rim's too.
    """

    cell: Numbers
    starts: Numbers
    members: Numbers

    @classmethod
    def of(
        cls, grid: GridSpec, ijk: Numbers, cell_mm: float = CELL_MM, rim_mm: float = RIM_MM
    ) -> Regions:
        """Of pieces in the voxels ijk (n, 3), no two in one."""
        edge = max(1, round(cell_mm / grid.voxel_mm))
        rim = max(1, round(rim_mm / grid.voxel_mm))
        cells, cell = np.unique(ijk // edge, axis=0, return_inverse=True)
        numbers, order = numbered(grid, ijk)
        starts = np.zeros(len(cells) + 1, np.int32)
        found = (cells * edge - rim, edge + 2 * rim, np.array(grid.shape), numbers, order)
        nobody = np.zeros(0, np.int32)
        find_members(*found, starts, nobody)
        members = np.empty(int(starts[-1]), np.int32)
        find_members(*found, starts, members)
        return cls(cell.reshape(-1).astype(np.int32), starts, members)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.starts) - 1


def numbered(grid: GridSpec, ijk: Numbers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Of pieces in the voxels ijk (n, 3): the grid's numbers of these, (n,) ascending, and (n,)
    whose each is."""
    numbers = np.ravel_multi_index(tuple(ijk.T), grid.shape).astype(np.int64)
    order = np.argsort(numbers)
    return numbers[order], order
