"""The part as a cube of voxels: what a volume detector sees (MVTec 3D-AD, section 4.1).

All views' measured points go into one grid that stands still on the golden part: 1 where a point
fell in, and the mean grey level of the points there. The same cube, and the score that a detector
gives to each of its cells, in the way back to the runtime's fine volume.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.manifest import VoxelSection
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.volume.grid import GridSpec

MARGIN_CELLS = 2
CROWD = 0.5  # of the points in a usual cell: a surface; what flickers at edges is far less
LEAST_CROWD = 4  # points

Tensor = npt.NDArray[np.generic]


class VoxelGrid:
    """Counts and grey levels per cell of one part; filled view by view.

    outside: measured points of the part that fell beside the cube.
    """

    def __init__(self, section: VoxelSection) -> None:
        self.spec = GridSpec(section.origin_mm, (section.cells,) * 3, section.cell_mm)
        self.outside = 0
        self._points = np.zeros(self.spec.shape, np.int32)
        self._grey = np.zeros(self.spec.shape, np.int64)
        self._beside: list[npt.NDArray[np.int64]] = []

    def clear(self) -> None:
        """Forget the last part."""
        self.outside = 0
        self._beside.clear()
        self._points[:] = 0
        self._grey[:] = 0

    def add(
        self, view: View, rays: Rays, reference_from_part: Transform, table_z_mm: float
    ) -> None:
        """Every measured point above the table, moved to where the golden part stands.

        What is lower than half a cell is left to the finer eyes: a single noisy point of the table
        would fill a cell.
        """
        if view.depth_mm is None:
            raise ValueError(f"frame {view.frame_id}: a volume needs depth")
        foot_mm = max(table_z_mm, 0.5 * self.spec.voxel_mm)
        part = height_mm(view.depth_mm, rays, view.part_from_camera) >= foot_mm
        points = rays.points(view.depth_mm)[part].astype(np.float64)
        placed = apply(reference_from_part @ view.part_from_camera, points)
        cells = self._cells(placed)
        inside = cells >= 0
        self.outside += int((~inside).sum())
        self._beside.append(self.spec.voxels_of(placed[~inside]).astype(np.int64))
        size = self._points.size
        grey = view.image[part][inside]
        self._points += _sums(cells[inside], None, size).reshape(self.spec.shape)
        self._grey += _sums(cells[inside], grey, size).reshape(self.spec.shape)

    def crowded_beside(self) -> int:
        """Cells beside the cube that hold as many points as a surface does: something is there."""
        if not self.outside:
            return 0
        usual = np.median(self._points[self._points > 0]) if self._points.any() else 0.0
        _, counts = np.unique(np.concatenate(self._beside), axis=0, return_counts=True)
        return int((counts >= max(LEAST_CROWD, CROWD * float(usual))).sum())

    def tensors(self) -> dict[str, Tensor]:
        """`occupied` uint8 0 or 1 and `grey` float32 0..255, 0 where empty; (1, 1, n, n, n)."""
        occupied = self._points > 0
        grey = self._grey / np.maximum(self._points, 1)
        return {
            "occupied": occupied.astype(np.uint8)[None, None],
            "grey": grey.astype(np.float32)[None, None],
        }

    def scores_at(
        self, score: npt.NDArray[np.float32], points_reference_mm: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float32]:
        """(m,) score of the cell around each point (m, 3); 0 beside the cube."""
        cells = self._cells(points_reference_mm)
        return np.where(cells >= 0, score.reshape(-1)[cells], np.float32(0.0))

    def _cells(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """(m,) flat number of the cell around each point, -1 beside the cube."""
        ijk = self.spec.voxels_of(points_mm)
        inside = ((ijk >= 0) & (ijk < self.spec.shape)).all(axis=1)
        _, ny, nz = self.spec.shape
        flat = (ijk[:, 0] * ny + ijk[:, 1]) * nz + ijk[:, 2]
        return np.where(inside, flat, -1).astype(np.int64)


def section_around(
    points_mm: npt.NDArray[np.float64], cells: int = 64, margin_cells: int = MARGIN_CELLS
) -> VoxelSection:
    """The cube of the paper, around the points' box (n, 3), its side the longest of the box's; and
    a margin on every side of it, so that what stands out at the part's ends is seen."""
    low, high = points_mm.min(axis=0), points_mm.max(axis=0)
    side_mm = float((high - low).max()) * cells / (cells - 2 * margin_cells)
    origin = (low + high - side_mm) / 2
    x, y, z = (float(value) for value in origin)
    return VoxelSection(origin_mm=(x, y, z), cell_mm=side_mm / cells, cells=cells)


def _sums(
    cells: npt.NDArray[np.int64], weights: npt.NDArray[np.uint8] | None, size: int
) -> npt.NDArray[np.int64]:
    """How many, or how much, per cell; sums of grey levels are exact in float64."""
    return np.bincount(cells, weights, minlength=size).astype(np.int64)
