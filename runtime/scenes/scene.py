"""Several instances of one part on a table, seen by posed views: pictures, depth and poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import ColourImage, DepthMap, GreyImage
from voxgate.runtime.transforms import Transform


@dataclass(frozen=True, slots=True, eq=False)
class SceneView:
    """One picture: image (h, w) uint8, depth_mm (h, w) float32 along the optical axis, NaN where
    there was no return; world_from_camera with OpenCV's axes; colour (h, w, 3) the same picture in
    colour, None where the camera sees none."""

    number: int
    image: GreyImage
    depth_mm: DepthMap
    world_from_camera: Transform
    colour: ColourImage | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Views of one tray by one camera without distortion. The world's z points up from the table.

    camera_matrix: (3, 3), px. table_z_mm: the table's height, world frame; None: not told.
    """

    folder: Path
    camera_matrix: npt.NDArray[np.float64]
    views: tuple[SceneView, ...]
    table_z_mm: float | None

    def rays(self) -> Rays:
        """Where every pixel looks."""
        k = self.camera_matrix
        height, width = self.views[0].image.shape
        v, u = np.mgrid[0:height, 0:width]
        return Rays(
            ((u - k[0, 2]) / k[0, 0]).astype(np.float32),
            ((v - k[1, 2]) / k[1, 1]).astype(np.float32),
            np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2], 0, 0, 0, 0, 0], np.float64),
        )
