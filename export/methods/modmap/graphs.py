"""ModMap as three graphs: what one view shows, how wrong one foretells another, a view's score."""

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


class PairErrors(nn.Module):
    """source, target (1, 1, n, a + b), pair (1, 1, 1, 2) -> (1, 1, 2, n): what the source foretells
    wrongly of the target's shape, and of its picture."""

    def __init__(self, networks: ModMapNetworks, width: int) -> None:
        super().__init__()
        self.width = width
        self.to_shape = _OneDirection(networks.to_shape)
        self.to_picture = _OneDirection(networks.to_picture)

    def forward(
        self, source: torch.Tensor, target: torch.Tensor, pair: torch.Tensor
    ) -> torch.Tensor:
        views = pair.long().reshape(2)
        given, wanted = (
            (v[0, 0, :, : self.width], v[0, 0, :, self.width :]) for v in (source, target)
        )
        errors = [
            self.to_shape(given[0], wanted[1], views),
            self.to_picture(given[1], wanted[0], views),
        ]
        return torch.stack(errors)[None, None]


class _OneDirection(nn.Module):
    """(n, given) of a source, (n, found) of a target, (2,) their numbers -> (n,) errors: the
    modulator's words on every pair of views are constants."""

    words: torch.Tensor

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.mapping = direction.mapping
        self.views = direction.modulator.views
        every = torch.arange(self.views)
        with torch.no_grad():
            words = [direction.modulator(torch.full_like(every, s), every) for s in every.tolist()]
        self.register_buffer("words", torch.cat(words))
        self.distance = CosineError()

    def forward(
        self, given: torch.Tensor, wanted: torch.Tensor, views: torch.Tensor
    ) -> torch.Tensor:
        factor, summand = self.words[views[:1] * self.views + views[1:]].unbind(dim=1)
        errors: torch.Tensor = self.distance(self.mapping(given * factor + summand), wanted)
        return errors


class CosineError(nn.Module):
    """1 less the cosine of the angle between vectors of the last dimension, at least 0."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        lengths = [v.square().sum(dim=-1).sqrt().clamp(min=LEAST_NORM) for v in (a, b)]
        return torch.relu(1.0 - (a * b).sum(dim=-1) / (lengths[0] * lengths[1]))


class SetScore(nn.Module):
    """errors (1, 1, 2, n), depth_mm -> (1, 1, h, w), the score of that view: both directions'
    brought to the camera's picture and multiplied, 0 where nothing was measured."""

    def __init__(self, grid: Size, size: Size, fit: Fit) -> None:
        super().__init__()
        self.grid = grid
        self.map = ToCamera(grid, size, fit)

    def forward(self, errors: torch.Tensor, depth_mm: torch.Tensor) -> torch.Tensor:
        maps = [self.map(errors[:, :, k].reshape(1, 1, *self.grid)) for k in range(2)]
        wrong: torch.Tensor = maps[0] * maps[1]
        return wrong * (depth_mm > 0).float()
