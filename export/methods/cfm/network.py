"""The graph of CFM: features of picture and shape, mapped to each other, the errors' product."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.preprocessing import Fit, Size, ToCamera

LAYERS = ("input", "projection", "output")  # of a mapping, in every published form
LEAST_NORM = 1e-12  # torch.nn.functional.normalize's


class MappingNetwork(nn.Module):
    """(n, given) -> (n, found): three linear layers, the middle as wide as the mean of both."""

    def __init__(self, given: int, found: int) -> None:
        super().__init__()
        middle = (given + found) // 2
        self.input = nn.Linear(given, middle)
        self.projection = nn.Linear(middle, middle)
        self.output = nn.Linear(middle, found)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        *inner, last = (getattr(self, name) for name in LAYERS)
        for layer in inner:
            features = functional.gelu(layer(features))
        mapped: torch.Tensor = last(features)
        return mapped


class CfmNetwork(nn.Module):
    """Picture and shape inputs -> product of the mapping errors at the camera's size."""

    def __init__(
        self,
        features: tuple[nn.Module, nn.Module],
        mappings: tuple[nn.Module, nn.Module],
        grid: Size,
        size: Size,
        fit: Fit,
    ) -> None:
        super().__init__()
        self.picture, self.shape = features
        self.to_shape, self.to_picture = (_as_linear(mapping) for mapping in mappings)
        self.distance = MappingDistance()
        self.grid = grid
        self.map = ToCamera(self.grid, size, fit)

    def forward(self, image: torch.Tensor, shape_input: torch.Tensor) -> torch.Tensor:
        seen, shape = self.picture(image), self.shape(shape_input)
        score = self.distance(seen, shape, self.to_picture(shape), self.to_shape(seen))
        return self.map(score.reshape(1, 1, *self.grid))


class MappingDistance(nn.Module):
    """(n, d) vectors seen and mapped -> (n, 1) product of their normalised distances."""

    def forward(
        self,
        seen: torch.Tensor,
        shape: torch.Tensor,
        mapped_picture: torch.Tensor,
        mapped_shape: torch.Tensor,
    ) -> torch.Tensor:
        measured = (shape.abs().amax(dim=1, keepdim=True) > 0).float()
        return _apart(seen, mapped_picture) * _apart(shape, mapped_shape) * measured


def _apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (_normalised(a) - _normalised(b)).square().sum(dim=1, keepdim=True).sqrt()


def _normalised(a: torch.Tensor) -> torch.Tensor:
    return a / a.square().sum(dim=1, keepdim=True).sqrt().clamp(min=LEAST_NORM)


def _as_linear(mapping: nn.Module) -> nn.Sequential:
    """Convolutions of one pixel on vectors: linear layers with the same weights."""
    layers: list[nn.Module] = []
    for name in LAYERS:
        convolution = getattr(mapping, name)
        linear = nn.Linear(convolution.in_channels, convolution.out_channels)
        linear.weight.data = convolution.weight.data[:, :, 0, 0]
        linear.bias.data = convolution.bias.data
        layers += [linear, nn.GELU()]
    return nn.Sequential(*layers[:-1]).eval().requires_grad_(False)
