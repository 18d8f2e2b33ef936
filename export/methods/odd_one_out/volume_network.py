"""The network in space: a residual encoder and decoder over four scales (section 4.2, Atlas)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import interpolate


class Residual(nn.Module):
    """Two convolutions beside the way through."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolved(width, width)
        self.second = nn.Sequential(
            nn.Conv3d(width, width, 3, padding=1, bias=False), nn.BatchNorm3d(width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.second(self.first(x))).relu()


class VolumeNetwork(nn.Module):
    """(1, scales[0], x, y, z) -> the same, refined."""

    def __init__(self, scales: Sequence[int], down: Sequence[int], up: Sequence[int]) -> None:
        super().__init__()
        self.start = _residuals(scales[0], down[0])
        self.down = nn.ModuleList(
            nn.Sequential(convolved(wide, narrow, stride=2), _residuals(narrow, count))
            for wide, narrow, count in zip(scales[:-1], scales[1:], down[1:], strict=True)
        )
        finer = list(reversed(scales[:-1]))
        coarser = list(reversed(scales[1:]))
        self.narrow = nn.ModuleList(
            nn.Conv3d(above, below, 1) for above, below in zip(coarser, finer, strict=True)
        )
        self.up = nn.ModuleList(_residuals(w, count) for w, count in zip(finer, up, strict=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [self.start(x)]
        for step in self.down:
            found.append(step(found[-1]))
        x = found.pop()
        for narrow, step in zip(self.narrow, self.up, strict=True):
            x = step(narrow(interpolate(x, scale_factor=2.0)) + found.pop())
        return x


def convolved(given: int, found: int, stride: int = 1) -> nn.Sequential:
    """3 x 3 x 3, normalised, rectified."""
    return nn.Sequential(
        nn.Conv3d(given, found, 3, stride, padding=1, bias=False), nn.BatchNorm3d(found), nn.ReLU()
    )


def _residuals(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width) for _ in range(count)))
