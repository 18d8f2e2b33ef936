"""OmniposeAD with the pose known (PAD supplement, section 5.1).

EfficientNet-B4 features of its five stages, 24 + 32 + 56 + 160 + 448 channels, brought to the
size of the picture that the network sees (224 px) and put beside the grey picture: 721 channels,
for the view and for the golden view re-rendered at the true pose, which stands where the paper
renders a radiance field. The supplement does not write the distance down: it is taken to be the
squared one, summed over channels. Off the part the two pictures are the same, and the map is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.checkpoint import Preprocess, sha256_of
from voxgate.export.features.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Picture,
    Size,
    ToCamera,
)
from voxgate.export.features.published_steps import (
    camera_map,
    luma,
    picture_planes,
    published_picture,
)
from voxgate.export.features.timm_backbones import load_stages
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px, spec
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor

METHOD = "omnipose"
BACKBONE = "efficientnet_b4"
STAGES = (0, 1, 2, 3, 4)  # layers 1 to 5 of the paper
INPUT_PX = 224


@dataclass(frozen=True, slots=True)
class OmniposeOptions:
    """weights: state dict of EfficientNet-B4; input_px: the paper's 224, or larger."""

    weights: Path
    input_px: int = INPUT_PX


class OmniposeNetwork(nn.Module):
    """uint8 image and reference -> squared distance of their features at the camera's size."""

    def __init__(self, backbone: nn.Module, size: Size, side: Size) -> None:
        super().__init__()
        self.picture = Picture(size, side)
        self.grey = Picture(size, side, mean=None, channels=1)
        self.backbone = backbone
        self.distance = StackDistance(side)
        self.map = ToCamera(side, size)

    def forward(self, image: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        ours, golden = self._stack(image), self._stack(reference)
        return self.map(self.distance(ours, golden))

    def _stack(self, picture: torch.Tensor) -> list[torch.Tensor]:
        return [self.grey(picture), *self.backbone(self.picture(picture))]


class StackDistance(nn.Module):
    """Sum over all channels of the squared difference, every map at the picture's size.

    Interpolation is linear, so the differences are enlarged, not both maps.
    """

    def __init__(self, side: Size) -> None:
        super().__init__()
        self.side = side

    def forward(self, ours: list[torch.Tensor], golden: list[torch.Tensor]) -> torch.Tensor:
        total = torch.zeros(1, 1, *self.side)
        for a, b in zip(ours, golden, strict=True):
            apart = functional.interpolate(a - b, size=self.side, mode="bilinear")
            total = total + apart.square().sum(dim=1, keepdim=True)
        return total


def load_omnipose(golden: Golden, options: OmniposeOptions) -> Source:
    """Raises EngineError for weights that are not EfficientNet-B4's."""
    backbone = load_stages(BACKBONE, options.weights, STAGES)
    side = (options.input_px, options.input_px)
    steps = Preprocess(side, True, IMAGENET_MEAN, IMAGENET_STD)
    size = size_px(golden)

    def features(image: Tensor) -> torch.Tensor:
        plane = picture_planes(image)
        maps = backbone(published_picture(plane, steps))
        grey = luma(published_picture(plane, Preprocess(side, True, None, (1.0,))))
        large = [functional.interpolate(m, size=side, mode="bilinear") for m in maps]
        return torch.cat([*large, grey], dim=1)

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        with torch.no_grad():
            ours, theirs = features(inputs["image"]), features(inputs["reference"])
            apart = functional.mse_loss(ours, theirs, reduction="none").sum(1, keepdim=True)
        return np.asarray(camera_map(apart, size))

    return Source(
        method=METHOD,
        inputs=(spec("image", golden), spec("reference", golden)),
        network=OmniposeNetwork(backbone, size, side),
        original=original,
        provenance={"weights_sha256": sha256_of(options.weights), "input_px": list(side)},
        keep_float32=("picture", "grey", "distance"),
        tools=versions("timm"),
    )
