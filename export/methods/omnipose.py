"""OmniposeAD with the pose known (PAD supplement, section 5.1).

EfficientNet-B4 features of its five stages, 24 + 32 + 56 + 160 + 448 channels, for the view and for
the golden view re-rendered at the true pose, which stands where the paper renders a radiance field.
The supplement does not write the distance down, the published code does: squared differences are
summed over the channels of each stage, these sums brought to the size of the picture that the
network sees (224 px), added to each other and to the squared difference of the normalised pictures,
and blurred by a Gaussian of 4 px.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from torch import nn
from torch.nn import functional

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.backbones.load import load_stages
from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.features.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Picture,
    Size,
    ToCamera,
)
from voxgate.export.features.published_steps import (
    camera_map,
    picture_planes,
    published_picture,
)
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px, spec
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.source import RawScore, Source
from voxgate.runtime.engines.engine import Tensor

METHOD = "omnipose"
BACKBONE = "efficientnet_b4"
STAGES = (0, 1, 2, 3, 4)  # layers 1 to 5 of the paper
INPUT_PX = 224
SIGMA_PX = 4  # of the Gaussian, pixels of what the network sees


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
        self.backbone = backbone
        self.distance = StackDistance(side)
        self.map = ToCamera(side, size)

    def forward(self, image: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        ours, golden = self._stack(image), self._stack(reference)
        return self.map(self.distance(ours, golden))

    def _stack(self, picture: torch.Tensor) -> list[torch.Tensor]:
        seen = self.picture(picture)
        return [seen, *self.backbone(seen)]


class StackDistance(nn.Module):
    """Squared differences, summed over each map's channels, then enlarged, added and blurred.

    A Gaussian along an axis is a matrix product; beyond the border the picture is mirrored.
    """

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, side: Size) -> None:
        super().__init__()
        self.side = side
        rows, columns = (gaussian_filter1d(np.eye(n, dtype=np.float32), SIGMA_PX, 0) for n in side)
        self.register_buffer("rows", torch.from_numpy(rows))
        self.register_buffer("columns", torch.from_numpy(np.ascontiguousarray(columns.T)))

    def forward(self, ours: list[torch.Tensor], golden: list[torch.Tensor]) -> torch.Tensor:
        total = torch.zeros(1, 1, *self.side)
        for a, b in zip(ours, golden, strict=True):
            apart = (a - b).square().sum(dim=1, keepdim=True)
            total = total + functional.interpolate(apart, size=self.side, mode="bilinear")
        return torch.matmul(torch.matmul(self.rows, total), self.columns)


def load_omnipose(golden: Golden, options: OmniposeOptions) -> Source:
    """Raises EngineError for weights that are not EfficientNet-B4's."""
    backbone = load_stages(BACKBONE, options.weights, STAGES)
    side = (options.input_px, options.input_px)
    steps = Preprocess(side, True, IMAGENET_MEAN, IMAGENET_STD)
    size = size_px(golden)

    def stack(image: Tensor) -> list[torch.Tensor]:
        picture = published_picture(picture_planes(image), steps)
        return [picture, *backbone(picture)]

    def original(inputs: Mapping[str, Tensor]) -> RawScore:
        score = np.zeros(side, np.float32)
        with torch.no_grad():
            for ours, theirs in zip(
                stack(inputs["image"]), stack(inputs["reference"]), strict=True
            ):
                apart = functional.mse_loss(ours, theirs, reduction="none").sum(1, keepdim=True)
                score += functional.interpolate(apart, size=side, mode="bilinear")[0, 0].numpy()
        blurred = torch.from_numpy(gaussian_filter(score, SIGMA_PX))[None, None]
        return np.asarray(camera_map(blurred, size))

    return Source(
        method=METHOD,
        inputs=(spec("image", golden), spec("reference", golden)),
        network=OmniposeNetwork(backbone, size, side),
        original=original,
        provenance={"weights_sha256": sha256_of(options.weights), "input_px": list(side)},
        keep_float32=("picture", "distance"),
        input_px=options.input_px,
        tools=versions("timm"),
    )
