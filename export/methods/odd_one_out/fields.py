"""What the volume tells of every point: how dense it is, its colour, its neural feature.

Section 3.2: two layers of 1 x 1 x 1 for colour and density, four for the neural feature field
(beta), which is learnt from DINOv2 and finds what corresponds to what.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import softplus

from voxgate.export.methods.odd_one_out.constants import Constants

DENSE_FROM = 0.2  # section 4.2: where something is
COLOUR_LAYERS, FEATURE_LAYERS = 2, 4
CLEAR = -3.0  # bias before training: a volume that is empty all over, so that rays get through


class Fields(nn.Module):
    """Heads on (n, width, ...) of a volume or of regions of it."""

    def __init__(self, constants: Constants) -> None:
        super().__init__()
        width, hidden = constants.width, constants.hidden
        self.of_density = _layers(width, hidden, 1, COLOUR_LAYERS)
        self.of_colour = _layers(width, hidden, 3, COLOUR_LAYERS)
        self.of_feature = _layers(width, hidden, constants.field, FEATURE_LAYERS)
        nn.init.constant_(self.of_density[-1].bias, CLEAR)

    def density(self, volume: torch.Tensor) -> torch.Tensor:
        """(n, 1, ...) >= 0, what a ray loses on the length of a voxel: e^-density gets through."""
        return softplus(self.of_density(volume))

    def colour(self, volume: torch.Tensor) -> torch.Tensor:
        """(n, 3, ...) 0..1."""
        return torch.sigmoid(self.of_colour(volume))

    def feature(self, volume: torch.Tensor) -> torch.Tensor:
        """(n, field, ...)."""
        found: torch.Tensor = self.of_feature(volume)
        return found


def _layers(given: int, hidden: int, found: int, count: int) -> nn.Sequential:
    widths = [given, *[hidden] * (count - 1), found]
    steps: list[nn.Module] = []
    for before, after in pairwise(widths):
        steps += [nn.Conv3d(before, after, 1), nn.ReLU()]
    return nn.Sequential(*steps[:-1])
