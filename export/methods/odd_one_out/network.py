"""The method on one page (Bhunia, Li and Bilen 2024, section 3): pictures and cameras -> scores.

    pictures -> features -> volume -> refined -> density           (what is in front of the boxes)
    boxes -> regions -> correspondences -> attention -> logits     (what comes after them)

Between the two stand the boxes: density over a threshold, in clusters; that is no network.
"""

from __future__ import annotations

import torch
from torch import nn

from voxgate.export.methods.odd_one_out.classifier import Classifier
from voxgate.export.methods.odd_one_out.constants import Constants
from voxgate.export.methods.odd_one_out.fields import Fields
from voxgate.export.methods.odd_one_out.lifting import Lifting
from voxgate.export.methods.odd_one_out.matching import Matching
from voxgate.export.methods.odd_one_out.picture_features import PictureFeatures
from voxgate.export.methods.odd_one_out.regions import Regions
from voxgate.export.methods.odd_one_out.volume_network import VolumeNetwork


class OddOneOut(nn.Module):
    """Everything that is trained."""

    def __init__(self, constants: Constants) -> None:
        super().__init__()
        self.constants = constants
        self.pictures = PictureFeatures(constants.body, constants.pyramid, constants.width)
        self.lifting = Lifting(constants.voxels)
        self.refine = VolumeNetwork(constants.scales, constants.down, constants.up)
        self.fields = Fields(constants)
        self.regions = Regions(constants.region)
        self.matching = Matching(constants)
        self.classifier = Classifier(constants)

    def volume(self, pictures: torch.Tensor, picture_from_voxel: torch.Tensor) -> torch.Tensor:
        """(1, width, x, y, z) of pictures (m, 3, s, s) and cameras (m, 3, 4), see Lifting."""
        found: torch.Tensor = self.refine(self.lifting(self.pictures(pictures), picture_from_voxel))
        return found

    def logits(self, volume: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """(n,) of boxes (n, 6), see Regions; a box without volume is no instance, 0 or not."""
        cut = self.regions(volume, boxes)
        absent = 1 - there(boxes)
        found: torch.Tensor = self.classifier(self.matching(cut, self.fields.feature(cut), absent))
        return found


class BeforeBoxes(nn.Module):
    """pictures (m, 3, s, s) uint8, cameras (1, m, 3, 4) -> (1, 1, 1 + width, x y z): density, then
    the volume. One graph, one output, whose first two axes are 1 as of any score."""

    def __init__(self, network: OddOneOut) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor, cameras: torch.Tensor) -> torch.Tensor:
        volume = self.network.volume(pictures, cameras[0])
        found = torch.cat([self.network.fields.density(volume), volume], dim=1)
        return found.reshape(1, 1, found.shape[1], -1)


class AfterBoxes(nn.Module):
    """volume as BeforeBoxes gives it, boxes (1, 1, n, 6) -> (1, 1, 1, n) how likely each is odd,
    0 where there is no box."""

    def __init__(self, network: OddOneOut) -> None:
        super().__init__()
        self.network = network

    def forward(self, volume: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        x, y, z = self.network.constants.voxels
        own = volume[:, 0, 1:].reshape(1, -1, x, y, z)
        odd = torch.sigmoid(self.network.logits(own, boxes[0, 0])) * there(boxes[0, 0])
        return odd.reshape(1, 1, 1, -1)


def there(boxes: torch.Tensor) -> torch.Tensor:
    """(n,) 1 where a box has a volume, 0 elsewhere."""
    return ((boxes[:, 3:] - boxes[:, :3]).amin(dim=1) > 0).float()
