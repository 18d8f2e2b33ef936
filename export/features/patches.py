"""What a memory bank or a mapping sees: one vector per patch, from a picture, a depth or FPFH.

`features_from` makes the part of the graph; `published_patches` the same by the libraries' own
functions, for parity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.bank import Embed
from voxgate.export.features.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    DepthPicture,
    Fit,
    Picture,
    Size,
    fitted_px,
    onto_unpadded,
)
from voxgate.export.features.published_steps import (
    depth_plane,
    picture_planes,
    published_picture,
    squared,
)
from voxgate.runtime.engines.engine import Tensor

Kind = Literal["image", "depth", "fpfh", "points"]
INPUT_OF: dict[Kind, str] = {
    "image": "image", "depth": "depth_mm", "fpfh": "fpfh", "points": "points",
}  # fmt: skip
POOL = 3  # px; published code takes 3 x 3 means of shape features too


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """A backbone and how pictures come to it.

    size: of the camera's picture; input_px: side of the square the backbone sees; range_mm: 0 and 1
    of a depth picture; patches: a side that a pyramid's maps are averaged to, None: its first's.
    """

    backbone: nn.Module
    transformer: bool
    size: Size
    input_px: int
    fit: Fit
    range_mm: tuple[float, float]
    patches: int | None = None

    @property
    def side(self) -> Size:
        """Of the square."""
        return self.input_px, self.input_px

    def picture(self, kind: Kind) -> nn.Module:
        """The preprocessing of this kind as part of the graph."""
        if kind == "depth":
            return DepthPicture(self.size, self.side, *self.range_mm, fit=self.fit)
        return Picture(self.size, self.side, fit=self.fit)


class PictureFeatures(nn.Module):
    """uint8 picture or float32 depth -> (n, d), one vector per patch of `grid`."""

    def __init__(self, eye: Eye, kind: Kind) -> None:
        super().__init__()
        self.picture, self.backbone = eye.picture(kind), eye.backbone
        sizes = [eye.backbone.grid] if eye.transformer else self._sizes(eye)
        self.grid: Size = sizes[0]
        self.embed: nn.Module = Embed(pooled=not eye.transformer)
        if eye.patches is not None and not eye.transformer:
            self.grid = eye.patches, eye.patches
            self.embed = AveragedEmbed(sizes, self.grid)

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        return self.embed(self._maps(plane))

    def _sizes(self, eye: Eye) -> list[Size]:
        """Of the maps: a pyramid says them of a picture alone."""
        with torch.no_grad():
            maps = self._maps(torch.zeros(1, 1, *eye.size))
        return [(m.shape[-2], m.shape[-1]) for m in maps]

    def _maps(self, plane: torch.Tensor) -> list[torch.Tensor]:
        found = self.backbone(self.picture(plane))
        return list(found) if isinstance(found, (list, tuple)) else [found]


class AveragedEmbed(nn.Module):
    """Maps of several layers -> (n, d), one vector per cell of `grid`, whatever their sizes.

    3 x 3 means where all nine pixels are there, then means over the cells, channels side by side:
    BTF's code, whose 28 x 28 cells SiM3D keeps at 1540 px (S.6).
    """

    def __init__(self, shapes: Sequence[Size], grid: Size) -> None:
        super().__init__()
        self.cells = nn.ModuleList(_Cells((h - POOL + 1, w - POOL + 1), grid) for h, w in shapes)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        averaged = [
            cells(functional.avg_pool2d(m, POOL, 1))
            for cells, m in zip(self.cells, maps, strict=True)
        ]
        return torch.cat(averaged, dim=1).flatten(2)[0].transpose(0, 1)


class _Cells(nn.Module):
    """(1, c, *shape) -> (1, c, *grid): means over the cells as two matrix products."""

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, shape: Size, grid: Size) -> None:
        super().__init__()
        self.register_buffer("rows", torch.from_numpy(pooling_matrix(shape[0], grid[0])))
        self.register_buffer("columns", torch.from_numpy(pooling_matrix(shape[1], grid[1]).T))

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        return torch.matmul(torch.matmul(self.rows, plane), self.columns)


class FpfhFeatures(nn.Module):
    """Descriptors (1, 33, h', w') -> (n, 33): means over 3 x 3, then over each patch of `grid`."""

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, shape_px: Size, grid: Size, fit: Fit) -> None:
        super().__init__()
        height, width = fitted_px(shape_px, fit)
        rows = onto_unpadded(pooling_matrix(height, grid[0]), shape_px[0])
        columns = onto_unpadded(pooling_matrix(width, grid[1]), shape_px[1])
        self.grid = grid
        self.pool = nn.AvgPool2d(POOL, 1, POOL // 2)
        self.register_buffer("rows", torch.from_numpy(np.ascontiguousarray(rows)))
        self.register_buffer("columns", torch.from_numpy(np.ascontiguousarray(columns.T)))

    def forward(self, descriptors: torch.Tensor) -> torch.Tensor:
        pooled = torch.matmul(torch.matmul(self.rows, self.pool(descriptors)), self.columns)
        return pooled.flatten(2)[0].transpose(0, 1)


class JointFeatures(nn.Module):
    """Several inputs of one grid -> their vectors side by side (BTF section 4)."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.grid = parts[0].grid

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([p(given) for p, given in zip(self.parts, inputs, strict=True)], dim=1)


def features_from(eye: Eye, kind: Kind, grid: Size, shape_px: Size) -> nn.Module:
    """The graph's part for one kind of input; shape_px: (h', w') of the descriptors."""
    if kind == "fpfh":
        return FpfhFeatures(shape_px, grid, eye.fit).eval()
    return PictureFeatures(eye, kind).eval()


def published_patches(
    eye: Eye, kind: Kind, grid: Size, inputs: Mapping[str, Tensor]
) -> torch.Tensor:
    """(n, d) float64 by torchvision's transforms and torch's pooling."""
    given = inputs[INPUT_OF[kind]]
    with torch.no_grad():
        if kind == "fpfh":
            return _published_fpfh(torch.from_numpy(np.array(given)), eye.fit, grid)
        plane = picture_planes(given) if kind == "image" else depth_plane(given, *eye.range_mm)
        steps = Preprocess(eye.side, True, IMAGENET_MEAN, IMAGENET_STD)
        found = eye.backbone(published_picture(plane, steps, eye.fit))
        if eye.transformer:
            return found[0].flatten(1).T.double()
        if eye.patches is not None:
            cells = [functional.adaptive_avg_pool2d(_inner(m), grid) for m in found]
            return torch.cat(cells, dim=1)[0].flatten(1).T.double()
        pooled = [functional.avg_pool2d(layer, POOL, 1, POOL // 2) for layer in found]
        same = [functional.interpolate(m, size=grid, mode="bilinear") for m in pooled]
        return torch.cat(same, dim=1)[0].flatten(1).T.double()


def _inner(layer: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(layer, POOL, 1)


def _published_fpfh(descriptors: torch.Tensor, fit: Fit, grid: Size) -> torch.Tensor:
    pooled = functional.avg_pool2d(descriptors.double(), POOL, 1, POOL // 2)
    pooled = squared(pooled) if fit == "pad" else pooled
    return functional.adaptive_avg_pool2d(pooled, grid)[0].flatten(1).T


def pooling_matrix(n_in: int, n_out: int) -> npt.NDArray[np.float32]:
    """(n_out, n_in): adaptive average pooling of one axis, bin i from floor(i n / m) on."""
    matrix = np.zeros((n_out, n_in), np.float32)
    for i in range(n_out):
        lo, hi = i * n_in // n_out, -(-(i + 1) * n_in // n_out)
        matrix[i, lo:hi] = 1.0 / (hi - lo)
    return matrix
