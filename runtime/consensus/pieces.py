"""At which pixels a view sees the pieces of the expected surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.compare import Window
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.consensus.region_kernels import find_pixels
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.windows import TUNED_MM, odd_px
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.surface import Surface

Plane = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.int32]
"""(n, 2) row and column of each piece; a row of -1 where it is not seen."""

# What is asked of pieces was tuned at this edge. Finer voxels in finer pixels are for smaller
# defects, so every length beside them shrinks alike: as much is said of a part of half the size.
USUAL_MM = 2.0
LEAST_FACING = 0.2  # cosine: flatter, a highlight is all there is


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """surface, and rays of the pixels that see it; voxel_mm: of its pieces; scale: of every length
    that was tuned on pieces of USUAL_MM (see `scale_of`)."""

    surface: Surface
    rays: Rays
    voxel_mm: float
    scale: float = 1.0

    def pixels(self, view: View, reference_from_part: Transform) -> Pixels:
        """Of a view by these rays."""
        assert view.depth_mm is not None  # the inspector has refused it
        reference_from_camera = reference_from_part @ view.part_from_camera
        pixels = np.empty((len(self.surface.ijk), 2), np.int32)
        find_pixels(
            self.surface.points_mm,
            self.surface.normals,
            invert(reference_from_camera),
            np.ascontiguousarray(reference_from_camera[:3, 3]),
            self.rays.lens,
            np.require(view.depth_mm, np.float32, ["C", "W"]),
            self.voxel_mm,
            LEAST_FACING,
            pixels,
        )
        return pixels

    def across_px(self, pixel_mm: float) -> int:
        """Across a piece, odd, where a pixel spans pixel_mm."""
        return odd_px(self.voxel_mm / self.scale, pixel_mm / self.scale)

    def places(self, reference_from_part: Transform, some: npt.NDArray[np.intp]) -> Plane:
        """(n, 3) where some pieces (n,) of a part that stands so would be, part frame, mm."""
        points_mm = self.surface.points_mm[some]
        return apply(invert(reference_from_part), points_mm).astype(np.float32)


def scale_of(voxel_mm: float, golden: Sequence[ExpectedView]) -> float:
    """1 at voxels of USUAL_MM and coarser ones, less at finer ones, as far as the pixels of the
    golden views are finer too: in fewer pixels a good part's noise would count as more."""
    pixel_mm = max((view.pixel_mm for view in golden), default=TUNED_MM)
    return min(1.0, max(voxel_mm / USUAL_MM, pixel_mm / TUNED_MM))


def window_of(where: npt.NDArray[np.bool_]) -> Window | None:
    """Rows and columns in which anything is."""
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
