"""Several instances of one part on a table, seen by posed views: pictures, depth and poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import CalibrationError, ScanError
from voxgate.runtime.geometry.lens import BROWN, numbers, pixel, single_valued, undistort
from voxgate.runtime.geometry.rays import ROUND_TRIP_PX, Rays
from voxgate.runtime.nouns import ColourImage, DepthMap, GreyImage, Picture
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.transforms import Transform

NO_DISTORTION = (0.0,) * 5


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

    @property
    def picture(self) -> Picture:
        """All that the camera saw: in colour where it sees colour."""
        return self.image if self.colour is None else self.colour


def scene_view(
    number: int, picture: Picture, depth_mm: DepthMap, world_from_camera: Transform
) -> SceneView:
    """With what is grey and what is colour of the picture."""
    grey, colour = grey_and_colour(picture)
    return SceneView(number, grey, depth_mm, world_from_camera, colour)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Views of one tray by one camera. The world's z points up from the table.

    camera_matrix: (3, 3), px. table_z_mm: the table's height, world frame; None: not told.
    distortion: k1 k2 p1 p2 k3. measured: whether depth was; else it is that of the visual hull.
    """

    folder: Path
    camera_matrix: npt.NDArray[np.float64]
    views: tuple[SceneView, ...]
    table_z_mm: float | None
    distortion: tuple[float, ...] = NO_DISTORTION
    measured: bool = True

    @property
    def in_grey(self) -> Scene:
        """As a camera without colour would have seen it."""
        return replace(self, views=tuple(replace(view, colour=None) for view in self.views))

    def rays(self) -> Rays:
        """Where every pixel looks. Raises CalibrationError for a lens that folds over."""
        return camera_rays(self.views[0].image.shape, self.camera_matrix, self.distortion)

    def check_measured(self) -> None:
        """Raises ScanError where depth was not."""
        if not self.measured:
            words = "its views have no depth: `voxgate scene` without a recipe tells what it can"
            raise ScanError(f"{self.folder}: {words}")


def camera_rays(
    size: tuple[int, ...], camera_matrix: npt.NDArray[np.float64], distortion: Sequence[float]
) -> Rays:
    """Of a camera with (h, w) pixels. Raises CalibrationError for a lens that folds over."""
    lens = numbers(camera_matrix, np.array(distortion, np.float64), BROWN)
    v, u = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float64)
    x, y = undistort((u - lens[2]) / lens[0], (v - lens[3]) / lens[1], lens)
    back_u, back_v = pixel(x, y, lens)
    if not (np.hypot(back_u - u, back_v - v).max() < ROUND_TRIP_PX and single_valued(x, y, lens)):
        raise CalibrationError("the scene's distortion cannot be inverted: order k1 k2 p1 p2 k3")
    return Rays(x.astype(np.float32), y.astype(np.float32), lens)
