"""A picture becomes one map of features: ResNet-FPN, its four levels brought to the finest one.

The sum of the levels is that of a panoptic FPN (Kirillov et al. 2019), as Atlas takes it.
"""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models import resnet
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.ops import FeaturePyramidNetwork

from voxgate.export.methods.odd_one_out.constants import Body

STAGES = ("layer1", "layer2", "layer3", "layer4")  # 4, 8, 16, 32 pixels a feature
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
GREY_LEVELS = 255.0


class PictureFeatures(nn.Module):
    """(m, 3, s, s) red green blue, 0..255 -> (m, width, s/4, s/4)."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, body: Body, pyramid: int, width: int) -> None:
        super().__init__()
        stages = getattr(resnet, body)(weights=None, zero_init_residual=True)
        self.body = IntermediateLayerGetter(stages, {name: name for name in STAGES})
        found = [stages.fc.in_features // 2**k for k in (3, 2, 1, 0)]
        self.pyramid = FeaturePyramidNetwork(found, pyramid)
        self.levels = nn.ModuleList(_to_finest(n, pyramid, width) for n in range(len(STAGES)))
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        seen = (pictures.float() / GREY_LEVELS - self.mean) / self.deviation
        levels = self.pyramid(self.body(seen))
        brought = [level(levels[name]) for level, name in zip(self.levels, STAGES, strict=True)]
        return torch.stack(brought).sum(dim=0)


def _to_finest(level: int, pyramid: int, width: int) -> nn.Sequential:
    """A convolution for each doubling, and one where there is none."""
    steps: list[nn.Module] = []
    for step in range(max(1, level)):
        steps += [
            nn.Conv2d(width if step else pyramid, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        if level:
            steps.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
    return nn.Sequential(*steps)
