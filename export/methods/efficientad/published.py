"""The public implementation as it was published: what the graph's scores are held against.

Deliberately not made of the graph's pieces: numbered layers, and its own arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.checkpoint import State
from voxgate.export.features.preprocessing import Size
from voxgate.export.features.published_steps import camera_map, picture_planes, published_picture
from voxgate.export.methods.efficientad.networks import DECODER_LAYERS, ENCODER_LAYERS, Networks
from voxgate.export.methods.efficientad.normalisation import Normalisation
from voxgate.export.source import RawScore
from voxgate.runtime.engines.engine import Tensor


class Published:
    """The networks as they were published, layer by numbered layer, and their own arithmetic."""

    def __init__(self, networks: Networks, steps: Preprocess, size: Size) -> None:
        teacher, student, autoencoder = networks.states
        self.teacher = _sequential_pdn(teacher)
        self.student = _sequential_pdn(student)
        self.autoencoder = _sequential_autoencoder(steps.resize_px[0], autoencoder)
        self.steps, self.size = steps, size
        self.channels = networks.channels

    def maps(
        self, inputs: Mapping[str, Tensor], mean: torch.Tensor, std: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared distances student-teacher and student-autoencoder, not yet normalised."""
        with torch.no_grad():
            picture = published_picture(picture_planes(inputs["image"]), self.steps)
            teacher = (self.teacher(picture) - mean) / std
            student, found = self.student(picture), self.autoencoder(picture)
        half = teacher.shape[1]
        st = torch.mean((teacher - student[:, :half]) ** 2, dim=1, keepdim=True)
        return st, torch.mean((found - student[:, half:]) ** 2, dim=1, keepdim=True)

    def score(self, inputs: Mapping[str, Tensor], scale: Normalisation) -> RawScore:
        st, ae = self.maps(inputs, scale.mean.reshape(1, -1, 1, 1), scale.std.reshape(1, -1, 1, 1))
        st = 0.1 * (st - scale.q_st[0]) / (scale.q_st[1] - scale.q_st[0])
        ae = 0.1 * (ae - scale.q_ae[0]) / (scale.q_ae[1] - scale.q_ae[0])
        combined = functional.pad(0.5 * st + 0.5 * ae, (4, 4, 4, 4))
        return np.asarray(np.maximum(camera_map(combined, self.size), 0.0))


def _sequential_pdn(state: State) -> nn.Sequential:
    """The patch description network of paper tables 6 and 7, without padding."""
    layers: list[nn.Module] = []
    for number in sorted({int(name.partition(".")[0]) for name in state}):
        while len(layers) < number:
            layers.append(nn.AvgPool2d(2, 2) if len(layers) in (2, 5) else nn.ReLU())
        layers.append(_convolution(state, number, stride=1, padding=0))
    return nn.Sequential(*layers).eval()


def _sequential_autoencoder(side: int, state: State) -> nn.Sequential:
    """Paper table 8; the sizes between, for an input of `side` px."""
    sizes = (side // 64 - 1, side // 32, side // 16 - 1, side // 8, side // 4 - 1, side // 2 - 1)
    layers: list[nn.Module] = []
    for number in map(int, ENCODER_LAYERS):
        last = number == int(ENCODER_LAYERS[-1])
        layers.append(_convolution(state, number, 1 if last else 2, 0 if last else 1))
        layers += [] if last else [nn.ReLU()]
    for size, number in zip(sizes, map(int, DECODER_LAYERS), strict=False):
        layers += [nn.Upsample(size=size, mode="bilinear"), _convolution(state, number, 1, 2)]
        layers += [nn.ReLU(), nn.Dropout(0.2)]
    layers += [nn.Upsample(size=-(-side // 4) - 8, mode="bilinear"), _convolution(state, 36, 1, 1)]
    layers += [nn.ReLU(), _convolution(state, 38, 1, 1)]
    return nn.Sequential(*layers).eval()


def _convolution(state: State, number: int, stride: int, padding: int) -> nn.Conv2d:
    weight, bias = state[f"{number}.weight"], state[f"{number}.bias"]
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], stride, padding)
    layer.weight.data, layer.bias.data = weight, bias
    return layer.requires_grad_(False)
