"""ModMap as two graphs: what one view shows, and what one view scores beside all others."""

from __future__ import annotations

import torch
from torch import nn

from voxgate.export.features.patches import PictureFeatures
from voxgate.export.features.preprocessing import Fit, Size, ToCamera
from voxgate.export.methods.modmap.networks import Direction, ModMapNetworks

LEAST_NORM = 1e-8  # torch.nn.CosineSimilarity's


class ViewFeatures(nn.Module):
    """image, depth_mm -> (1, 1, n, a + b): picture and shape features of each patch."""

    def __init__(self, picture: PictureFeatures, shape: PictureFeatures) -> None:
        super().__init__()
        self.picture, self.shape = picture, shape

    def forward(self, image: torch.Tensor, depth_mm: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.picture(image), self.shape(depth_mm)], dim=1)[None, None]


class SetScore(nn.Module):
    """views (1, m, n, a + b), view (1, 1, 1, 1), depth_mm -> (1, 1, h, w), the score of that view.

    Of each direction the smallest of what all m sources foretell wrongly, brought to the camera's
    picture; both multiplied; 0 where nothing was measured.
    """

    def __init__(
        self, networks: ModMapNetworks, width: int, grid: Size, size: Size, fit: Fit
    ) -> None:
        super().__init__()
        self.width, self.grid = width, grid
        self.to_shape = _OneDirection(networks.to_shape)
        self.to_picture = _OneDirection(networks.to_picture)
        self.map = ToCamera(grid, size, fit)

    def forward(
        self, views: torch.Tensor, view: torch.Tensor, depth_mm: torch.Tensor
    ) -> torch.Tensor:
        target = view.long().reshape(1)
        picture, shape = views[0, :, :, : self.width], views[0, :, :, self.width :]
        wrong = self._large(self.to_shape(picture, shape, target))
        wrong = wrong * self._large(self.to_picture(shape, picture, target))
        return wrong * (depth_mm > 0).float()

    def _large(self, errors: torch.Tensor) -> torch.Tensor:
        large: torch.Tensor = self.map(errors.reshape(1, 1, *self.grid))
        return large


class _OneDirection(nn.Module):
    """(m, n, given) and (m, n, found) of all views, target (1,) -> (n,) errors: the modulators'
    words on every pair of views are constants."""

    factor: torch.Tensor
    summand: torch.Tensor

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.mapping = direction.mapping
        every = torch.arange(direction.modulator.views)
        with torch.no_grad():
            both = [direction.modulator(every, torch.full_like(every, t)) for t in every.tolist()]
        factor, summand = torch.stack(both).unbind(dim=2)
        self.register_buffer("factor", factor.contiguous())
        self.register_buffer("summand", summand.contiguous())
        self.distance = CosineError()

    def forward(
        self, given: torch.Tensor, wanted: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        factor, summand = self.factor[target][0, :, None], self.summand[target][0, :, None]
        foretold = self.mapping(given * factor + summand)
        errors: torch.Tensor = self.distance(foretold, wanted[target])
        return errors.amin(dim=0)


class CosineError(nn.Module):
    """1 less the cosine of the angle between vectors of the last dimension, at least 0."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        lengths = [v.square().sum(dim=-1).sqrt().clamp(min=LEAST_NORM) for v in (a, b)]
        return torch.relu(1.0 - (a * b).sum(dim=-1) / (lengths[0] * lengths[1]))
