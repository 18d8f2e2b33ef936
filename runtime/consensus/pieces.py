"""What a view says of each piece of the expected surface that it sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.consensus.region_kernels import look_at_pieces
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.surface import Surface

Box = tuple[slice, slice]
"""Rows and columns of a picture."""
Plane = npt.NDArray[np.float32]

LEAST_FACING = 0.2  # cosine: flatter, a highlight is all there is


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """surface, and rays of the pixels that see it; voxel_mm: of its pieces."""

    surface: Surface
    rays: Rays
    voxel_mm: float

    def ask(
        self, view: View, reference_from_part: Transform, box: Box, maps: Plane, sums: Plane
    ) -> None:
        """Write into sums (n, c) the pixel of maps (h, w, c), which are of the box of the view's
        pixels, that shows each piece; 0 where the view does not see it."""
        assert view.depth_mm is not None  # the inspector has refused it
        reference_from_camera = reference_from_part @ view.part_from_camera
        look_at_pieces(
            self.surface.points_mm,
            self.surface.normals,
            invert(reference_from_camera),
            np.ascontiguousarray(reference_from_camera[:3, 3]),
            self.rays.lens,
            np.require(view.depth_mm, np.float32, ["C", "W"]),
            self.voxel_mm,
            LEAST_FACING,
            np.array((box[0].start, box[1].start)),
            maps,
            sums,
        )

    def places(self, reference_from_part: Transform) -> Plane:
        """(n, 3) where the pieces of a part that stands so would be, part frame, mm."""
        return apply(invert(reference_from_part), self.surface.points_mm).astype(np.float32)
