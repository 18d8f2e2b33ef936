"""What MVTec 3D-AD's methods see (section 4.1), as graph and as plain numpy.

Depth: the distance from the camera's centre, mm, 0 where invalid; zoomed by nearest neighbour, the
picture beside it as three colours in 0..1, grey thrice, zoomed bilinearly. Voxels: 1 where occupied
and -1 where empty, or the mean colour in 0..1 and -1.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from voxgate.export.features.preprocessing import GREY_LEVELS, Resize, Size, stacked
from voxgate.export.golden.gloss import part_points
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_range_mm, spec
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.fusion.voxels import section_around
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.manifest import TensorSpec, VoxelSection

COLOURS = 3
Planes = npt.NDArray[np.float32]


class DepthPlanes(nn.Module):
    """depth_mm and, with colour, image -> (1, 1 or 4, *side_px); depth over far_mm."""

    ray: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, rays: Rays, side_px: Size, far_mm: float, colour: bool) -> None:
        super().__init__()
        height, width = rays.x.shape
        self.register_buffer("ray", torch.from_numpy(ray_lengths(rays))[None, None])
        self.register_buffer("rows", torch.from_numpy(nearest_pixels(height, side_px[0])))
        self.register_buffer("columns", torch.from_numpy(nearest_pixels(width, side_px[1])))
        self.far_mm, self.colour = far_mm, colour
        self.same = side_px == (height, width)
        self.picture = Resize((height, width), side_px, fit="stretch", antialias=False)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        distance = inputs[0] * self.ray / self.far_mm
        if not self.same:
            distance = distance.index_select(2, self.rows).index_select(3, self.columns)
        if not self.colour:
            return distance
        picture = self.picture(inputs[1].float() / GREY_LEVELS)
        return torch.cat([distance, stacked(picture, COLOURS)], dim=1)


class VoxelPlanes(nn.Module):
    """occupied and, with colour, grey -> (1, 1 or 3, n, n, n)."""

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self.colour = colour

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        occupied = inputs[0].float()
        if not self.colour:
            return 2.0 * occupied - 1.0
        colour = inputs[1] / GREY_LEVELS * occupied - (1.0 - occupied)
        return torch.cat([colour] * COLOURS, dim=1)


def plain_depth(
    inputs: Mapping[str, Tensor], rays: Rays, side_px: Size, far_mm: float, colour: bool
) -> Planes:
    """(1, 1 or 4, *side_px) by OpenCV's zoom."""
    distance = np.asarray(inputs["depth_mm"], np.float64)[0, 0] * np.sqrt(
        1.0 + rays.x.astype(np.float64) ** 2 + rays.y.astype(np.float64) ** 2
    )
    shape = (side_px[1], side_px[0])
    planes = [cv2.resize(distance / far_mm, shape, interpolation=cv2.INTER_NEAREST_EXACT)]
    if colour:
        colours = np.asarray(inputs["image"], np.float64)[0] / GREY_LEVELS
        zoomed = [cv2.resize(each, shape, interpolation=cv2.INTER_LINEAR) for each in colours]
        planes += zoomed * (COLOURS // len(zoomed))
    return np.stack(planes).astype(np.float32)[None]


def plain_voxels(inputs: Mapping[str, Tensor], colour: bool) -> Planes:
    """(1, 1 or 3, n, n, n) by numpy."""
    occupied = np.asarray(inputs["occupied"])[0, 0] > 0
    if not colour:
        return np.where(occupied, 1.0, -1.0).astype(np.float32)[None, None]
    grey = np.where(occupied, np.asarray(inputs["grey"])[0, 0] / GREY_LEVELS, -1.0)
    return np.stack([grey] * COLOURS).astype(np.float32)[None]


def ray_lengths(rays: Rays) -> Planes:
    """(h, w) length of each pixel's ray per mm of depth."""
    x, y = rays.x.astype(np.float64), rays.y.astype(np.float64)
    return np.sqrt(1.0 + x * x + y * y).astype(np.float32)


def nearest_pixels(n_in: int, n_out: int) -> npt.NDArray[np.int64]:
    """(n_out,) pixel whose centre is nearest to each new pixel's."""
    return np.minimum((np.arange(n_out) + 0.5) * n_in / n_out, n_in - 1).astype(np.int64)


def depth_inputs(golden: Golden, colour: bool, *further: str) -> tuple[TensorSpec, ...]:
    """What a depth detector takes."""
    names = ("depth_mm", *(("image",) if colour else ()), *further)
    return tuple(spec(name, golden) for name in names)


def voxel_inputs(section: VoxelSection, colour: bool) -> tuple[TensorSpec, ...]:
    """What a volume detector takes."""
    shape = (1, 1, *(section.cells,) * 3)
    occupied = TensorSpec(name="occupied", dtype="uint8", shape=shape)
    grey = TensorSpec(name="grey", dtype="float32", shape=shape)
    return (occupied, grey) if colour else (occupied,)


def golden_cube(golden: Golden) -> VoxelSection:
    """The paper's cube around the golden part."""
    points = [part_points(view, golden.rays, golden.table_z_mm)[1] for view in golden.views]
    return section_around(np.concatenate(points))


def far_mm(golden: Golden) -> float:
    """What becomes 1: a little beyond the farthest golden point."""
    return golden_range_mm(golden)[1]
