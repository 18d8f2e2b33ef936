"""A memory of tokens: how far a picture's are from it by their angles, as a map."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import nn
from torch.nn import functional

from voxgate.export.features.bank import Bank
from voxgate.export.features.nearest import Nearest
from voxgate.export.features.preprocessing import Size, ToCamera, resize_matrix
from voxgate.export.methods.tokens.foreground import Foreground

SIGMA_PX = 4.0  # of the published Gaussian, pixels of the camera's picture


class TokenMemory(nn.Module):
    """uint8 image -> the network's picture -> tokens (n, d) -> distances -> map at camera size."""

    def __init__(
        self, picture: nn.Module, tokens: nn.Module, distance: nn.Module, finish: nn.Module
    ) -> None:
        super().__init__()
        self.picture, self.tokens = picture, tokens
        self.distance, self.finish = distance, finish

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.finish(self.distance(self.tokens(self.picture(image))))
        return found


class CosineDistance(nn.Module):
    """(n, d) tokens -> (1, 1, *grid): mean cosine distance to the nearest rows of the memory.

    Rows have length 1, so half the squared distance is the cosine distance, without cancellation.
    Tokens that are taken for background are at distance 0.
    """

    def __init__(self, rows: Bank, grid: Size, neighbours: int, masking: bool) -> None:
        super().__init__()
        self.nearest = Nearest(rows)
        self.foreground = Foreground(grid, rows.shape[1]) if masking else None
        self.grid, self.neighbours = grid, neighbours

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        directions = functional.normalize(tokens, dim=1)
        distance2 = self.nearest.few(directions, self.neighbours)
        distance = 0.5 * distance2.mean(dim=1, keepdim=True)
        if self.foreground is not None:
            distance = distance * self.foreground(tokens)
        return distance.reshape(1, 1, *self.grid)


class BlurredInside(nn.Module):
    """anomalib's finish: enlarged to what the network saw, nearest, blurred there."""

    def __init__(self, blur: nn.Module, side: Size, size: Size) -> None:
        super().__init__()
        self.blur, self.side = blur, side
        self.map = ToCamera(side, size)

    def forward(self, distance: torch.Tensor) -> torch.Tensor:
        large = functional.interpolate(distance, size=self.side)
        return torch.relu(self.map(self.blur(large)))


class BlurredOutside(nn.Module):
    """The published finish: enlarged to the camera's picture, bilinear, blurred there.

    Both are linear and go by rows and columns, so they are two matrix products.
    """

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, grid: Size, size: Size) -> None:
        super().__init__()
        rows, columns = (
            gaussian_filter1d(resize_matrix(n, m, antialias=False), SIGMA_PX, axis=0)
            for n, m in zip(grid, size, strict=True)
        )
        self.register_buffer("rows", torch.from_numpy(np.ascontiguousarray(rows)))
        self.register_buffer("columns", torch.from_numpy(np.ascontiguousarray(columns.T)))

    def forward(self, distance: torch.Tensor) -> torch.Tensor:
        return torch.matmul(torch.matmul(self.rows, distance), self.columns)
