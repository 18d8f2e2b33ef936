"""Views as the network takes them: square straight pictures, and where each voxel is seen.

The network knows neither millimetres nor the world: of each view it is told which place of the
picture, whose width and height are 1, a voxel of its volume is seen at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.lens import pixel
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Picture
from voxgate.runtime.recipe.manifest import GridSection
from voxgate.runtime.scenes.scene import SceneView
from voxgate.runtime.transforms import Transform, invert

LENS_COEFFICIENTS = slice(4, None)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """pictures (m, c, s, s) uint8, red green blue where c is 3; picture_from_voxel (1, m, 3, 4)
    float32, zeros where no view came: nothing is seen from there."""

    pictures: npt.NDArray[np.uint8]
    picture_from_voxel: npt.NDArray[np.float32]


class Eye:
    """One camera's views for one volume. grid: its voxels in the world of the views."""

    def __init__(self, rays: Rays, grid: GridSection) -> None:
        self._lens, self._shape = rays.lens, rays.x.shape
        self._straight = _straight(rays) if rays.lens[LENS_COEFFICIENTS].any() else None
        self._world_from_voxel = world_from_voxel(grid)

    def seen(self, views: Sequence[SceneView], planned: int, channels: int, side_px: int) -> Seen:
        """Of at most `planned` views. Raises ValueError for a grey picture in place of colour."""
        pictures = np.zeros((planned, channels, side_px, side_px), np.uint8)
        cameras = np.zeros((1, planned, 3, 4), np.float32)
        for number, view in enumerate(views):
            pictures[number] = self._picture(view, channels, side_px)
            cameras[0, number] = self._picture_from_voxel(view.world_from_camera)
        return Seen(pictures, cameras)

    def _picture(self, view: SceneView, channels: int, side_px: int) -> npt.NDArray[np.uint8]:
        picture: Picture = view.image
        if channels > 1:
            if view.colour is None:
                raise ValueError(f"view {view.number} is grey, the network was taught in colour")
            picture = view.colour
        if self._straight is not None:
            picture = np.asarray(cv2.remap(picture, *self._straight, cv2.INTER_LINEAR), np.uint8)
        small = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA)
        planes = np.asarray(small, np.uint8).reshape(side_px, side_px, channels)
        return np.moveaxis(planes, 2, 0)

    def _picture_from_voxel(self, world_from_camera: Transform) -> npt.NDArray[np.float32]:
        (fx, fy, cx, cy), (height, width) = self._lens[:4], self._shape
        picture_from_camera = np.array(
            [[fx / width, 0, (cx + 0.5) / width], [0, fy / height, (cy + 0.5) / height], [0, 0, 1]]
        )
        camera_from_voxel = invert(world_from_camera) @ self._world_from_voxel
        return (picture_from_camera @ camera_from_voxel[:3]).astype(np.float32)


def world_from_voxel(grid: GridSection) -> npt.NDArray[np.float64]:
    """(4, 4): voxel i reaches from i to i + 1. Not rigid: a voxel is voxel_mm wide."""
    found = np.diag([grid.voxel_mm] * 3 + [1.0])
    found[:3, 3] = grid.origin_mm
    return found


def _straight(rays: Rays) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Which pixel a camera of the same matrix without distortion would have seen what at."""
    height, width = rays.x.shape
    fx, fy, cx, cy = rays.lens[:4]
    v, u = np.mgrid[0:height, 0:width].astype(np.float64)
    found = pixel((u - cx) / fx, (v - cy) / fy, rays.lens)
    return found[0].astype(np.float32), found[1].astype(np.float32)
