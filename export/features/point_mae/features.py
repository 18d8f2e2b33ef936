"""Tokens of Point-MAE brought to the cells that they are mapped on, and pictures to the same.

CFM maps at every pixel of the 224 px that its networks see: points take what their three nearest
groups say, averaged over 3 x 3 pixels, and the patches of the picture are enlarged to them. Every
step of that is a product of the rows and one of the columns; it is the groups' shares of a pixel
that are averaged, which comes to the same and is less than their 1152 features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.patches import POOL, PictureFeatures, pooling_matrix
from voxgate.export.features.point_mae.network import PointTokens
from voxgate.export.features.point_mae.weights import LAYERS
from voxgate.export.features.preprocessing import Size, resize_matrix
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.recipe.sections.shapes import PointsSection

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PointSense:
    """Point-MAE and how it is used.

    network: anomalib's module. cells: a side of the grid that features are compared on; None: the
    picture's own patches. padded: means of 3 x 3 as anomalib takes them, of the picture's features
    too, zeros beside the border; else the published code's, without a border.
    """

    network: nn.Module
    section: PointsSection
    cells: int | None = None
    padded: bool = False


class Regridded(nn.Module):
    """(n, d) vectors of a grid, row by row -> (n', d) of another: rows, then columns."""

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, rows: Matrix, columns: Matrix) -> None:
        super().__init__()
        self.register_buffer("rows", torch.from_numpy(rows))
        self.register_buffer("columns", torch.from_numpy(columns))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        height, width = self.rows.shape[1], self.columns.shape[1]
        down = torch.matmul(self.rows, vectors.reshape(height, -1))
        across = torch.matmul(self.columns, down.reshape(self.rows.shape[0], width, -1))
        return across.reshape(self.rows.shape[0] * self.columns.shape[0], -1)


class PointFeatures(nn.Module):
    """`points` (1, 1, rows, 3), as the box groups them -> (n, 1152), one vector a cell."""

    def __init__(self, sense: PointSense, grid: Size) -> None:
        super().__init__()
        self.tokens = PointTokens(sense.network)
        self.section, self.grid = sense.section, grid
        rows, columns = (_cell_means(sense, cells) for cells in grid)
        self.cells = Regridded(rows, columns)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        centres, members, near, share = parts_of(points, self.section)
        of_groups = torch.zeros(len(near), self.section.groups).scatter(1, near, share)
        found: torch.Tensor = torch.matmul(self.cells(of_groups), self.tokens(members, centres))
        return found


class FeaturesOnCells(nn.Module):
    """A picture's patches, enlarged to the cells (bilinear)."""

    def __init__(self, features: PictureFeatures, grid: Size, padded: bool) -> None:
        super().__init__()
        self.features, self.grid = features, grid
        sides = zip(features.grid, grid, strict=True)
        rows, columns = (_enlarged(patches, cells, padded) for patches, cells in sides)
        self.cells = Regridded(rows, columns)

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        return self.cells(self.features(plane))


def parts_of(points: torch.Tensor, section: PointsSection) -> tuple[torch.Tensor, ...]:
    """Centres (g, 3), members (g, m, 3), nearest centres (pixels, 3) int64, shares (pixels, 3)."""
    groups, size, pixels = section.groups, section.group_size, section.side_px**2
    centres, members, near, share = points[0, 0].split((groups, groups * size, pixels, pixels))
    return centres, members.reshape(groups, size, 3), near.long(), share


def published_points(sense: PointSense, grid: Size, inputs: Mapping[str, Tensor]) -> torch.Tensor:
    """(n, 1152) float64 by anomalib's network and torch's pooling, on the box's groups."""
    given = torch.from_numpy(np.ascontiguousarray(inputs["points"]))
    centres, members, near, share = parts_of(given, sense.section)
    network, side = sense.network, sense.section.side_px
    with torch.no_grad():
        said = network.blocks(network.encoder(members[None]), network.pos_embed(centres[None]))
        tokens = torch.cat([network.norm(said[layer])[0] for layer in LAYERS], dim=1).double()
        shares = torch.zeros(sense.section.groups, side * side)
        for nearest in range(near.shape[1]):
            shares[near[:, nearest], torch.arange(side * side)] = share[:, nearest]
        plane = shares.reshape(1, -1, side, side)
        averaged = functional.avg_pool2d(plane, POOL, 1, POOL // 2 if sense.padded else 0)
        cells = functional.adaptive_avg_pool2d(averaged, grid)[0].flatten(1)
        return cells.T.double() @ tokens


def published_on_cells(patches: torch.Tensor, of: Size, grid: Size, padded: bool) -> torch.Tensor:
    """(n, d) of patches -> (n', d) of cells, by torch's interpolation."""
    plane = patches.T.reshape(1, -1, *of)
    large = functional.interpolate(plane, size=grid, mode="bilinear", align_corners=False)
    if padded:
        large = functional.avg_pool2d(large, POOL, 1, POOL // 2)
    return large[0].flatten(1).T


def _cell_means(sense: PointSense, cells: int) -> Matrix:
    """(cells, side): means of three pixels, then of each cell."""
    side = sense.section.side_px
    means = _means_of_three(side)
    if not sense.padded:
        means = means[1:-1]
    return np.ascontiguousarray(pooling_matrix(len(means), cells) @ means)


def _enlarged(patches: int, cells: int, padded: bool) -> Matrix:
    found = resize_matrix(patches, cells, antialias=False)
    return np.ascontiguousarray(_means_of_three(cells) @ found if padded else found)


def _means_of_three(n: int) -> Matrix:
    """(n, n): a third of each and of its neighbours; beside the border there are zeros."""
    ones = np.ones(n, np.float32)
    summed = np.diag(ones) + np.diag(ones[1:], 1) + np.diag(ones[1:], -1)
    found: Matrix = summed / np.float32(POOL)
    return found
