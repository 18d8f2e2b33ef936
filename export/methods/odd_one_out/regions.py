"""Each instance's own volume of 8 x 8 x 8, cut out of the whole one (RoI pooling, section 3.3).

A box lies along the axes, so what trilinear interpolation takes from where is a product of three
small matrices, one an axis; a voxel of a region is the mean of SAMPLES points an axis in it.
"""

from __future__ import annotations

import torch
from torch import nn

SAMPLES = 2


class Regions(nn.Module):
    """volume (1, c, x, y, z) and boxes (n, 6) -> (n, c, r, r, r).

    boxes: lowest and highest corner in voxels; voxel i reaches from i to i + 1.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, volume: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        _, c, x, y, z = volume.shape
        n, r = boxes.shape[0], self.side
        along = [self._taken(boxes[:, k], boxes[:, k + 3], s) for k, s in enumerate((x, y, z))]
        found = along[0] @ volume.permute(2, 1, 3, 4, 0).reshape(1, x, c * y * z)
        found = along[1] @ found.reshape(n, r * c, y, z).transpose(1, 2).reshape(n, y, r * c * z)
        found = along[2] @ found.reshape(n, r * r * c, z).transpose(1, 2)
        # axes: z, then y, x and channels
        return found.reshape(n, r, r, r, c).permute(0, 4, 3, 2, 1)

    def _taken(self, low: torch.Tensor, high: torch.Tensor, side: int) -> torch.Tensor:
        """(n, r, side): how much of each voxel goes into each of the region's, along one axis."""
        count = self.side * SAMPLES
        share = (torch.arange(count, dtype=torch.float32, device=low.device) + 0.5) / count
        at = low[:, None] + (high - low)[:, None] * share
        at = at.clamp(0.5, side - 0.5)[:, :, None]
        centre = torch.arange(side, dtype=torch.float32, device=low.device) + 0.5
        hat = (1 - (at - centre).abs()).clamp(min=0)
        return hat.reshape(-1, self.side, SAMPLES, side).mean(dim=2)
