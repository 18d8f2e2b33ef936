"""The public implementation as one graph, of anomalib's modules."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.preprocessing import Size
from voxgate.export.methods.efficientad.networks import Networks
from voxgate.export.methods.efficientad.normalisation import AT_QUANTILE, Normalisation
from voxgate.export.methods.from_anomalib import picture_of

BORDER = 4  # pixels that the unpadded networks lose on each side of their maps


class PublicNetwork(nn.Module):
    """uint8 image -> the public implementation's combined map at the camera's size, at least 0.

    The small map with its border is enlarged once, to the picture's size.
    """

    def __init__(
        self, size: Size, steps: Preprocess, networks: Networks, scale: Normalisation
    ) -> None:
        super().__init__()
        self.picture = picture_of(steps, size)
        self.teacher, self.student, self.autoencoder = networks.modules
        self.distance = _Distances(scale)
        self.input_px, self.size = steps.resize_px, size

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        picture = self.picture(image)
        found = self.autoencoder(picture, self.input_px)
        combined = self.distance(self.teacher(picture), self.student(picture), found)
        padded = functional.pad(combined, (BORDER,) * 4)
        return torch.relu(functional.interpolate(padded, size=self.size, mode="bilinear"))


class _Distances(nn.Module):
    """Mean squared differences, each between its quantiles, and their mean."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, scale: Normalisation) -> None:
        super().__init__()
        self.register_buffer("mean", scale.mean.reshape(1, -1, 1, 1))
        self.register_buffer("std", scale.std.reshape(1, -1, 1, 1))
        self.q_st, self.q_ae = scale.q_st, scale.q_ae

    def forward(
        self, teacher: torch.Tensor, student: torch.Tensor, autoencoder: torch.Tensor
    ) -> torch.Tensor:
        channels = teacher.shape[1]
        taught = (teacher - self.mean) / self.std
        st = (taught - student[:, :channels]).square().mean(dim=1, keepdim=True)
        ae = (autoencoder - student[:, channels:]).square().mean(dim=1, keepdim=True)
        return 0.5 * _between(st, self.q_st) + 0.5 * _between(ae, self.q_ae)


def _between(score: torch.Tensor, quantiles: tuple[float, float]) -> torch.Tensor:
    low, high = quantiles
    return AT_QUANTILE * (score - low) / (high - low)
