"""What the published code does to a picture, by its own libraries: the yardstick of parity.

Nothing in here is used by a graph, and nothing of the graphs is used in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional
from torchvision.transforms import v2

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.preprocessing import GREY_LEVELS, Fit, Size
from voxgate.export.source import RawScore
from voxgate.runtime.engines.engine import Tensor

CHANNELS = 3

Finish = Callable[[RawScore], RawScore]
"""A library's map at the camera's size -> scores >= 0."""


def published_picture(plane: torch.Tensor, steps: Preprocess, fit: Fit = "stretch") -> torch.Tensor:
    """(1, 1 or 3, h, w) in 0..1 -> (1, 3, *resize_px) through torchvision's transforms."""
    picture = squared(in_colour(plane)) if fit == "pad" else in_colour(plane)
    picture = v2.Resize(
        list(steps.resize_px),
        v2.InterpolationMode(steps.interpolation),
        antialias=steps.antialias,
    )(picture)
    return (
        picture if steps.mean is None else v2.Normalize(list(steps.mean), list(steps.std))(picture)
    )


def in_colour(plane: torch.Tensor) -> torch.Tensor:
    """(1, 1 or 3, h, w) -> (1, 3, h, w), a grey level thrice."""
    return plane.expand(-1, CHANNELS, -1, -1)


def picture_planes(image: Tensor) -> torch.Tensor:
    """uint8 (1, 1 or 3, h, w) -> 0..1 as torchvision's ToDtype(scale=True) does."""
    return torch.from_numpy(np.ascontiguousarray(image)).float() / GREY_LEVELS


def depth_plane(depth_mm: Tensor, near_mm: float, far_mm: float) -> torch.Tensor:
    """float32 (1, 1, h, w), 0 = no return -> 0..1 over the range, 0 where there is none."""
    depth = torch.from_numpy(np.ascontiguousarray(depth_mm)).float()
    return ((depth - near_mm) / (far_mm - near_mm)).clamp(0, 1) * (depth > 0)


def camera_map(score: torch.Tensor, size_px: Size, fit: Fit = "stretch") -> RawScore:
    """(1, 1, h', w') -> (h, w) of the camera, bilinear; padding cut off."""
    height, width = size_px
    side = max(size_px)
    full = (side, side) if fit == "pad" else size_px
    large = functional.interpolate(score, size=full, mode="bilinear", align_corners=False)
    top, left = ((side - height) // 2, (side - width) // 2) if fit == "pad" else (0, 0)
    found: RawScore = large[0, 0, top : top + height, left : left + width].numpy()
    return found


def squared(planes: torch.Tensor) -> torch.Tensor:
    """(1, c, h, w) -> a square as wide as the longer side; the border is repeated on both sides."""
    height, width = planes.shape[2:]
    down, across = max(0, width - height), max(0, height - width)
    borders = (across // 2, across - across // 2, down // 2, down - down // 2)
    return functional.pad(planes, borders, mode="replicate")


def at_least_zero(score: RawScore) -> RawScore:
    """What lies below counts as most normal."""
    return np.asarray(np.maximum(score, 0.0))


def from_picture(
    model: Callable[[torch.Tensor], torch.Tensor],
    size_px: Size,
    finish: Finish = at_least_zero,
) -> Callable[[Mapping[str, Tensor]], RawScore]:
    """A model with its preprocessing, picture (1, 3, h, w) in 0..1 -> map (1, 1, h', w'), as
    `Source.original`."""

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        with torch.no_grad():
            picture = in_colour(picture_planes(inputs["image"]))
            return finish(camera_map(model(picture), size_px))

    return original
