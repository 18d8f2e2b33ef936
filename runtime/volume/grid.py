"""The voxel grid of a part: where it lies, how fine it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK = 4  # voxels along a block's edge; 64 voxels share one hash entry and four cache lines
BLOCK_CELLS = BLOCK**3
MAX_CELLS = 2**31 - 1  # a voxel's number is an int32


@dataclass(frozen=True, slots=True)
class GridSpec:
    """Voxel (i, j, k) covers origin_mm + voxel_mm * [i, i+1) x [j, j+1) x [k, k+1), part frame.

    Raises ValueError for a grid that is empty, not finite, or has more voxels than an int32 counts.
    """

    origin_mm: tuple[float, float, float]
    shape: tuple[int, int, int]
    voxel_mm: float

    def __post_init__(self) -> None:
        if len(self.origin_mm) != 3 or not np.isfinite(self.origin_mm).all():
            raise ValueError(f"a grid's origin is 3 finite numbers in mm, got {self.origin_mm}")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a grid has at least 1 voxel along each axis, got {self.shape}")
        if not (np.isfinite(self.voxel_mm) and self.voxel_mm > 0):
            raise ValueError(f"a voxel's edge is positive, got {self.voxel_mm} mm")
        if self.block_count * BLOCK_CELLS > MAX_CELLS:
            raise ValueError(
                f"a grid of {self.shape} has more than 2^31 voxels: use larger voxels "
                f"than {self.voxel_mm} mm or a smaller box"
            )

    @property
    def cells(self) -> int:
        """Number of voxels."""
        nx, ny, nz = self.shape
        return nx * ny * nz

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Number of 4x4x4 blocks along each axis, the last ones partly outside."""
        nx, ny, nz = self.shape
        return -(-nx // BLOCK), -(-ny // BLOCK), -(-nz // BLOCK)

    @property
    def block_count(self) -> int:
        """Number of blocks that cover the grid."""
        bx, by, bz = self.blocks
        return bx * by * bz

    def with_voxels(self, voxel_mm: float) -> GridSpec:
        """The same box, or up to a voxel more, in voxels of another edge. Raises ValueError."""
        shape = [-int(-size * self.voxel_mm // voxel_mm) for size in self.shape]
        return GridSpec(self.origin_mm, (shape[0], shape[1], shape[2]), voxel_mm)

    def centres_mm(self, ijk: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Centres (n, 3) of voxels (n, 3), part frame, mm."""
        centres: npt.NDArray[np.float64] = np.asarray(self.origin_mm) + self.voxel_mm * (ijk + 0.5)
        return centres

    def voxels_of(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
        """Voxels (n, 3) int32 that hold points (n, 3) of the part frame, mm; may lie outside."""
        scaled = (points_mm - np.asarray(self.origin_mm)) / self.voxel_mm
        ijk: npt.NDArray[np.int32] = np.floor(scaled).astype(np.int32)
        return ijk
