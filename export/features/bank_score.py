"""From vectors of patches and a bank to a map: nearest distance, reweighted, at camera size."""

from __future__ import annotations

import torch
from torch import nn

from voxgate.export.features.bank import Bank
from voxgate.export.features.nearest import Nearest, Reweight
from voxgate.export.features.preprocessing import Fit, Size, ToCamera


class BankScore(nn.Module):
    """(n, d) vectors of a grid -> distances to the bank (1, 1, *grid), over `unit`.

    reweight: neighbours in PatchCore's equation 7, below 2: not. The whole map is multiplied by the
    weight of its farthest patch, so that the map's maximum is the paper's image score.
    """

    def __init__(self, bank: Bank, grid: Size, reweight: int = 0, unit: float = 1.0) -> None:
        super().__init__()
        self.nearest = Nearest(bank)
        self.weight = Reweight(self.nearest, reweight) if min(reweight, len(bank)) > 1 else None
        self.grid, self.unit = grid, unit

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        rows = self.nearest.index(queries)
        distance = self.nearest.distance(queries, rows)
        if self.weight is not None:
            distance = distance * self.weight(queries, rows, distance)
        return (distance / self.unit).reshape(1, 1, *self.grid)


class BankNetwork(nn.Module):
    """Inputs -> features -> distances to one bank -> map at the camera's size."""

    def __init__(self, features: nn.Module, score: BankScore, size: Size, fit: Fit) -> None:
        super().__init__()
        self.features, self.score = features, score
        self.map = ToCamera(score.grid, size, fit)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.map(self.score(self.features(*inputs)))


def published_score(patches: torch.Tensor, bank: Bank, grid: Size, reweight: int) -> torch.Tensor:
    """(1, 1, *grid) float64 by torch.cdist and topk: what `BankScore` is held to."""
    rows = torch.from_numpy(bank).double()
    distance, row = torch.cdist(patches, rows).min(dim=1)
    neighbours = min(reweight, len(rows))
    if neighbours > 1:
        worst = int(distance.argmax())
        near = torch.cdist(rows[row[worst]][None], rows)[0]
        support = near.topk(neighbours, largest=False).indices
        around = torch.cdist(patches[worst][None], rows[support[1:]])[0]
        root = patches.shape[1] ** 0.5
        weight = 1.0 - torch.exp(distance[worst] / root - torch.logsumexp(around / root, dim=0))
        distance = distance * weight
    return distance.reshape(1, 1, *grid)
