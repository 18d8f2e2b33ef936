"""Preprocessing as part of the graph: camera picture or depth -> what a network was trained on.

Downsizing with antialiasing is a linear map of rows and of columns, so it is two matrix products
in the graph: exactly torchvision's `Resize(antialias=True)` on float pictures, with no operator
that TensorRT lacks. Nothing depends on the picture's own content.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
GREY_LEVELS = 255.0
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601

Fit = Literal["stretch", "pad"]
Interpolation = Literal["bilinear", "bicubic"]
INTERPOLATIONS = ("bilinear", "bicubic")
Size = tuple[int, int]
"""(height, width), px."""


class Picture(nn.Module):
    """uint8 (1, 1 or 3, h, w) -> float32 (1, channels, *model_px), as the network wants it.

    Colour stays colour; a grey level stands in every channel (SiM3D 4.2 stacks it thrice), over
    255, resized, then (x - mean) / std unless mean is None. fit "pad" repeats the border on both
    sides up to a square before it is resized (SiM3D 4.2); "stretch" resizes both directions on
    their own.
    """

    def __init__(
        self,
        size_px: Size,
        model_px: Size,
        *,
        mean: tuple[float, ...] | None = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        fit: Fit = "stretch",
        antialias: bool = True,
        interpolation: Interpolation = "bilinear",
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.resize = Resize(
            size_px, model_px, fit=fit, antialias=antialias, interpolation=interpolation
        )
        self.normalise = Normalise(mean, std, channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.normalise(self.resize(image.float() / GREY_LEVELS))


class DepthPicture(nn.Module):
    """float32 depth (1, 1, h, w), mm, 0 = no return -> float32 (1, channels, *model_px).

    near_mm .. far_mm becomes 0..1, clipped, 0 where there is no return: constants of the recipe,
    so that a picture's score does not depend on what else it holds. Then as `Picture`.
    """

    def __init__(
        self,
        size_px: Size,
        model_px: Size,
        near_mm: float,
        far_mm: float,
        *,
        mean: tuple[float, ...] | None = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        fit: Fit = "stretch",
        antialias: bool = True,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if not 0 <= near_mm < far_mm:
            raise ValueError(f"depth range must be 0 <= near < far, got {near_mm} .. {far_mm} mm")
        self.near_mm, self.span_mm = near_mm, far_mm - near_mm
        self.resize = Resize(size_px, model_px, fit=fit, antialias=antialias)
        self.normalise = Normalise(mean, std, channels)

    def forward(self, depth_mm: torch.Tensor) -> torch.Tensor:
        scaled = ((depth_mm - self.near_mm) / self.span_mm).clamp(0.0, 1.0)
        return self.normalise(self.resize(scaled * (depth_mm > 0).float()))


class Normalise(nn.Module):
    """`channels` planes, each (x - mean) / std; mean None: as they are. One plane stands in all of
    them; of three colours a network of one channel gets the luma."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: tuple[float, ...] | None, std: tuple[float, ...], channels: int):
        super().__init__()
        self.channels = channels
        self.plain = mean is None
        self.register_buffer("mean", _per_channel(mean or (0.0,) * channels))
        self.register_buffer("std", _per_channel(std))

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        planes = stacked(plane, self.channels)
        return planes if self.plain else (planes - self.mean) / self.std


def stacked(planes: torch.Tensor, channels: int) -> torch.Tensor:
    """(1, 1 or 3, h, w) -> (1, channels, h, w), channels 1 or 3."""
    if planes.shape[1] == channels:
        return planes
    if channels == 1:
        weights = planes.new_tensor(LUMA).reshape(1, -1, 1, 1)
        return (planes * weights).sum(dim=1, keepdim=True)
    return torch.cat([planes] * channels, dim=1)


class Resize(nn.Module):
    """float32 (1, c, *size_px) -> (1, c, *model_px): rows, then columns, as matrices."""

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(
        self,
        size_px: Size,
        model_px: Size,
        *,
        fit: Fit,
        antialias: bool,
        interpolation: Interpolation = "bilinear",
    ) -> None:
        super().__init__()
        matrix = resize_matrix if interpolation == "bilinear" else bicubic_matrix
        height, width = fitted_px(size_px, fit)
        rows = onto_unpadded(matrix(height, model_px[0], antialias), size_px[0])
        columns = onto_unpadded(matrix(width, model_px[1], antialias), size_px[1])
        self.same = size_px == model_px
        self.register_buffer("rows", torch.from_numpy(np.ascontiguousarray(rows)))
        self.register_buffer("columns", torch.from_numpy(np.ascontiguousarray(columns.T)))

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        if self.same:
            return plane
        return torch.matmul(torch.matmul(self.rows, plane), self.columns)


class ToCamera(nn.Module):
    """A map of the network's picture (1, 1, *model_px) back to the camera's (1, 1, *size_px).

    Undoes `fit`: with "pad" the padding is cut off. Bilinear with half-pixel centres, or nearest.
    """

    def __init__(
        self,
        model_px: Size,
        size_px: Size,
        fit: Fit = "stretch",
        mode: Literal["bilinear", "nearest"] = "bilinear",
    ) -> None:
        super().__init__()
        self.size_px, self.mode = size_px, mode
        self.full_px = fitted_px(size_px, fit)
        self.same = self.full_px == model_px
        self.top, self.left = (
            padded_before_px(n, full) for n, full in zip(size_px, self.full_px, strict=True)
        )

    def forward(self, score: torch.Tensor) -> torch.Tensor:
        if not self.same:
            corners = None if self.mode == "nearest" else False
            score = functional.interpolate(
                score, size=self.full_px, mode=self.mode, align_corners=corners
            )
        if self.full_px == self.size_px:
            return score
        bottom, right = self.top + self.size_px[0], self.left + self.size_px[1]
        return score[:, :, self.top : bottom, self.left : right]


def fitted_px(size_px: Size, fit: Fit) -> Size:
    """(height, width) of what is resized: the picture, or the square it is padded to."""
    return (max(size_px), max(size_px)) if fit == "pad" else size_px


def padded_before_px(n: int, padded: int) -> int:
    """Pixels added above or left; of an odd number one more is added behind."""
    return (padded - n) // 2


def onto_unpadded(weights: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.float32]:
    """(n_out, padded) -> (n_out, n): the padding repeats the border, so its weights add there."""
    before = padded_before_px(n, weights.shape[1])
    found = np.array(weights[:, before : before + n])
    found[:, 0] += weights[:, :before].sum(axis=1)
    found[:, -1] += weights[:, before + n :].sum(axis=1)
    return found


def resize_matrix(n_in: int, n_out: int, antialias: bool) -> npt.NDArray[np.float32]:
    """(n_out, n_in): bilinear weights with half-pixel centres; each row sums to 1.

    With antialias a triangle as wide as the step is the filter, as in PIL and torchvision; without
    it, two neighbours as in torch.nn.functional.interpolate(align_corners=False).
    """
    step = n_in / n_out
    reach = max(step, 1.0) if antialias else 1.0
    centres = (np.arange(n_out) + 0.5) * step
    pixels = np.arange(n_in) + 0.5
    if not antialias:
        centres = np.clip(centres, 0.5, n_in - 0.5)  # the border pixel repeats
    weights = np.maximum(0.0, 1.0 - np.abs(pixels - centres[:, None]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def bicubic_matrix(n_in: int, n_out: int, antialias: bool) -> npt.NDArray[np.float32]:
    """(n_out, n_in): bicubic weights (Keys 1981) with half-pixel centres; each row sums to 1.

    With antialias the kernel is as wide as the step and bends by -0.5, as in PIL and torchvision;
    without it, four neighbours and -0.75, as in torch.nn.functional.interpolate.
    """
    step = n_in / n_out
    centres = (np.arange(n_out) + 0.5) * step
    if antialias:
        apart = (np.arange(n_in) + 0.5 - centres[:, None]) / max(step, 1.0)
        weights = _keys(apart, -0.5)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
    first = np.floor(centres - 0.5).astype(np.int64) - 1
    taps = first[:, None] + np.arange(4)
    weights = np.zeros((n_out, n_in))
    rows = np.broadcast_to(np.arange(n_out)[:, None], taps.shape)
    inside = np.clip(taps, 0, n_in - 1)  # the border pixel repeats
    np.add.at(weights, (rows, inside), _keys(taps + 0.5 - centres[:, None], -0.75))
    return np.asarray(weights, np.float32)


def _keys(x: npt.NDArray[np.float64], bend: float) -> npt.NDArray[np.float64]:
    """Keys' cubic convolution kernel."""
    x = np.abs(x)
    near = ((bend + 2.0) * x - (bend + 3.0)) * x * x + 1.0
    far = bend * (((x - 5.0) * x + 8.0) * x - 4.0)
    return np.where(x <= 1.0, near, np.where(x < 2.0, far, 0.0))


def _per_channel(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[None, :, None, None]
