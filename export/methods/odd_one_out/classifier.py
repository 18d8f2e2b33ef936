"""An instance that was held against the others becomes one number: how odd it is (section 3.4)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from voxgate.export.methods.odd_one_out.constants import HALVINGS, Constants
from voxgate.export.methods.odd_one_out.volume_network import convolved


class Classifier(nn.Module):
    """(n, width, r, r, r) -> (n,) logits: three halvings, to 1/8, then two layers."""

    def __init__(self, constants: Constants) -> None:
        super().__init__()
        widths = constants.scales
        self.smaller = nn.Sequential(*(convolved(a, b, stride=2) for a, b in pairwise(widths)))
        left = (constants.region // HALVINGS) ** 3 * widths[-1]
        self.decide = nn.Sequential(
            nn.Linear(left, constants.hidden), nn.ReLU(), nn.Linear(constants.hidden, 1)
        )

    def forward(self, regions: torch.Tensor) -> torch.Tensor:
        return self.decide(self.smaller(regions).flatten(1))[:, 0]
