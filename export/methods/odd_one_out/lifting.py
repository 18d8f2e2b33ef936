"""Features of pictures become a volume: each voxel's are those where the views see it, averaged.

Section 3.2, equation 2, before the network in space; as in Atlas a view that does not see a voxel
has no say in it, and a voxel that none sees is 0.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import grid_sample

from voxgate.export.methods.odd_one_out.constants import Voxels

IN_FRONT = 1e-3  # of the camera's depth unit: nearer is behind


class Lifting(nn.Module):
    """features (m, d, h, w) and picture_from_voxel (m, 3, 4) -> (1, d, x, y, z).

    picture_from_voxel: a voxel's index (its centre is index + 0.5) to a homogeneous point of the
    picture, whose width and height are 1.
    """

    centres: torch.Tensor

    def __init__(self, voxels: Voxels) -> None:
        super().__init__()
        self.voxels = voxels
        self.register_buffer("centres", centres(voxels), persistent=False)

    def forward(self, features: torch.Tensor, picture_from_voxel: torch.Tensor) -> torch.Tensor:
        x, y, z = self.voxels
        seen_at, is_seen = self._places(picture_from_voxel)
        # view by view: all of them at once would take the volume's memory for each
        total, count = torch.zeros(()), torch.zeros(())
        for view in range(features.shape[0]):
            grid = seen_at[view : view + 1].reshape(1, x * y, z, 2)
            sampled = grid_sample(
                features[view : view + 1], grid, padding_mode="border", align_corners=False
            )
            own = is_seen[view].reshape(1, 1, x * y, z)
            total, count = total + sampled * own, count + own
        return (total / count.clamp(min=1.0)).reshape(1, -1, x, y, z)

    def _places(self, picture_from_voxel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(m, v, 2) in -1..1 across the picture, and (m, v) whether it is in the picture."""
        points = picture_from_voxel @ self.centres
        depth = points[:, 2]
        ahead = depth > IN_FRONT
        place = points[:, :2] / torch.where(ahead, depth, torch.ones_like(depth))[:, None]
        inside = ((place >= 0) & (place <= 1)).float()
        is_seen = ahead.float() * inside[:, 0] * inside[:, 1]
        return (place.clamp(0, 1) * 2 - 1).transpose(1, 2), is_seen


def centres(voxels: Voxels) -> torch.Tensor:
    """(4, v) homogeneous, in voxels, the last axis fastest."""
    axes = [torch.arange(side, dtype=torch.float32) + 0.5 for side in voxels]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z, torch.ones_like(x)]).reshape(4, -1)
