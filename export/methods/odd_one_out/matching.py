"""Instances are held against each other where they correspond: sparse voxel attention.

Sections 3.3 and 3.4, equations 5 to 7: for every voxel of an instance the k voxels of each other
one whose neural feature is most like its own; attention over those and no others, together.
"""

from __future__ import annotations

import torch
from torch import nn

from voxgate.export.methods.odd_one_out.constants import Constants

NOT_THERE = -1e4  # before a softmax: e to that is 0 in half precision too
WIDENING = 4  # of the layer between, as in a transformer


def correspondences(features: torch.Tensor, number: int, nearest: int) -> torch.Tensor:
    """(v, n, k) which voxels of each instance are most like those of instance `number`.

    features: (n, v, field).
    """
    n, v, field = features.shape
    alike = features[number] @ features.reshape(n * v, field).transpose(0, 1)
    return alike.reshape(v, n, v).topk(min(nearest, v), dim=-1).indices


class SparseAttention(nn.Module):
    """Equation 7, of several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(
        self, volumes: torch.Tensor, chosen: list[torch.Tensor], absent: torch.Tensor
    ) -> torch.Tensor:
        """volumes (n, v, width) -> the same; chosen: by instance (v, n, k); absent (n,)."""
        query, key, value = self.query(volumes), self.key(volumes), self.value(volumes)
        found = [
            self._one(number, query[number], key, value, each, absent)
            for number, each in enumerate(chosen)
        ]
        return self.out(torch.stack(found))

    def _one(
        self,
        number: int,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        chosen: torch.Tensor,
        absent: torch.Tensor,
    ) -> torch.Tensor:
        n, v, width = key.shape
        heads, each = self.heads, width // self.heads
        k = chosen.shape[-1]
        first = torch.arange(n, device=key.device).reshape(1, n, 1) * v
        at = (chosen + first).reshape(-1)
        keys = key.reshape(n * v, width)[at].reshape(v, n * k, heads, each)
        values = value.reshape(n * v, width)[at].reshape(v, n * k, heads, each)
        alike = (query.reshape(v, 1, heads, each) * keys).sum(dim=-1) / each**0.5
        itself = (torch.arange(n, device=key.device) == number).float()
        other = ((itself + absent).clamp(max=1) * NOT_THERE).reshape(1, n, 1).expand(1, n, k)
        weight = (alike + other.reshape(1, n * k, 1)).softmax(dim=1)
        return (weight[..., None] * values).sum(dim=1).reshape(v, width)


class Block(nn.Module):
    """Attention, then a small network for each voxel, each beside the way through."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = SparseAttention(width, heads)
        self.between = nn.LayerNorm(width)
        self.each = nn.Sequential(
            nn.Linear(width, WIDENING * width), nn.ReLU(), nn.Linear(WIDENING * width, width)
        )

    def forward(
        self, volumes: torch.Tensor, chosen: list[torch.Tensor], absent: torch.Tensor
    ) -> torch.Tensor:
        volumes = volumes + self.attention(self.before(volumes), chosen, absent)
        return volumes + self.each(self.between(volumes))


class Matching(nn.Module):
    """regions (n, width, r, r, r), features (n, field, r, r, r), absent (n,) -> regions."""

    def __init__(self, constants: Constants) -> None:
        super().__init__()
        self.nearest = constants.nearest
        self.blocks = nn.ModuleList(
            Block(constants.width, constants.heads) for _ in range(constants.blocks)
        )

    def forward(
        self, regions: torch.Tensor, features: torch.Tensor, absent: torch.Tensor
    ) -> torch.Tensor:
        n, width = regions.shape[:2]
        volumes = regions.reshape(n, width, -1).transpose(1, 2)
        seen = features.reshape(n, features.shape[1], -1).transpose(1, 2)
        chosen = [correspondences(seen, number, self.nearest) for number in range(n)]
        for block in self.blocks:
            volumes = block(volumes, chosen, absent)
        return volumes.transpose(1, 2).reshape(regions.shape)
