"""Pictures at the resolution that the part is inspected at: a block of the camera's pixels is one.

A grey level is the block's mean, each colour for itself. Depth is never a mean across an edge: of a
block that is one whole surface it is the mean, which lies on the ray of the block's middle; of any
other it is a sample that the sensor measured, the one nearest to the middle on the side where most
of them lie. A block gave no return where fewer than half of its pixels did: neither are holes
filled, nor do single pixels blind a view.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.nouns import ColourImage, DepthMap, GreyImage, View
from voxgate.runtime.pixels.colour import luma
from voxgate.runtime.pixels.reduce_kernels import mean_of_blocks, sample_of_blocks

# A surface that falls by four times what a block spans is seen at 76 degrees: beyond, a sensor has
# no return, and what differs more is two surfaces.
STEEPEST = 4.0


def reduced_view(view: View, block_px: int, focal_px: float, crew: Crew) -> View:
    """The view in blocks of block_px x block_px; itself for 1. focal_px: of the camera's pixels.

    What is left beside whole blocks, at the right and at the lower edge, is cut off.
    """
    if block_px == 1:
        return view
    depth_mm = view.depth_mm
    colour = None if view.colour is None else reduced_colour(view.colour, block_px)
    return replace(
        view,
        image=reduced_grey(view.image, block_px, crew) if colour is None else luma(colour),
        colour=colour,
        depth_mm=None if depth_mm is None else reduced_depth(depth_mm, block_px, focal_px, crew),
    )


def reduced_grey(image: GreyImage, block_px: int, crew: Crew) -> GreyImage:
    """(h // block_px, w // block_px) uint8: means, rounded half up, of an image (h, w)."""
    image = np.require(image, np.uint8, ["C", "W"])
    out = np.empty(_size(image, block_px), np.uint8)

    def part(index: int) -> None:
        mean_of_blocks(np.array(crew.span(index, len(out))), image, block_px, out)

    crew.run(part)
    return out


def reduced_colour(colour: ColourImage, block_px: int) -> ColourImage:
    """(h // block_px, w // block_px, 3) uint8: rounded means of (h, w, 3)."""
    height, width = colour.shape[0] // block_px, colour.shape[1] // block_px
    whole = colour[: height * block_px, : width * block_px]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def reduced_depth(depth_mm: DepthMap, block_px: int, focal_px: float, crew: Crew) -> DepthMap:
    """(h // block_px, w // block_px) float32 of a depth map (h, w), mm, NaN for no return."""
    depth = np.require(depth_mm, np.float32, ["C", "W"])
    out = np.empty(_size(depth, block_px), np.float32)
    steepest, order = np.float32(STEEPEST * block_px / focal_px), _middle_first(block_px)

    def part(index: int) -> None:
        rows = np.array(crew.span(index, len(out)))
        sample_of_blocks(rows, depth, block_px, steepest, order, out)

    crew.run(part)
    return out


def warm_up(crew: Crew) -> None:
    """Compile (or load) the kernels of this file."""
    depth = np.ones((4, 4), np.float32)
    reduced_view(View(0, depth.astype(np.uint8), np.eye(4), 0.0, depth), 2, 1.0, crew)


def _size(picture: npt.NDArray[np.generic], block_px: int) -> tuple[int, int]:
    height, width = picture.shape
    return height // block_px, width // block_px


def _middle_first(block_px: int) -> npt.NDArray[np.intp]:
    """(block_px^2, 2) rows and columns of a block, from the middle outwards."""
    offsets = np.argwhere(np.ones((block_px, block_px), np.bool_))
    away = np.square(2 * offsets - (block_px - 1)).sum(axis=1)
    return np.ascontiguousarray(offsets[np.argsort(away, kind="stable")])
