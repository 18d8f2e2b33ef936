"""The networks of MVTec 3D-AD's benchmark (appendix), for depth images and for voxel grids.

Depth: table 3, ten convolutions from 256 x 256 to a code, each but the last followed by instance
normalisation and LeakyReLU of slope 0.05; the decoder is its mirror with transposed convolutions.
Voxels: the paper refers to Simarro Viana et al. 2021, whose layer table is not printed; here it is
the same pattern in three dimensions on 64^3, four halvings and a code. Channels and the length of
the code are read off the weights, so dictionaries of the same layout load whatever their widths.
Layer names: `convN.weight`, `convN.bias`; N counts from 1 in the encoder as in the decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

SLOPE = 0.05
DEPTH_PX = 256
DEPTH_LATENT = 512


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of table 3."""

    channels: int
    kernel: int
    stride: int
    padding: int


# table 3 without the last row, whose channels are the code
DEPTH_ENCODER = (
    Layer(32, 4, 2, 1), Layer(32, 4, 2, 1), Layer(32, 4, 2, 1), Layer(32, 3, 1, 1),
    Layer(64, 4, 2, 1), Layer(64, 3, 1, 1), Layer(128, 4, 2, 1), Layer(64, 3, 1, 1),
    Layer(32, 3, 1, 1),
)  # fmt: skip
DEPTH_CODE = Layer(DEPTH_LATENT, 8, 1, 0)
VOXEL_ENCODER = (Layer(32, 4, 2, 1), Layer(64, 4, 2, 1), Layer(128, 4, 2, 1), Layer(256, 4, 2, 1))
VOXEL_CODE = Layer(DEPTH_LATENT, 4, 1, 0)


class Stack(nn.Module):
    """Convolutions conv1 .. convN; normalised and rectified after each but the last."""

    def __init__(self, convolutions: Sequence[nn.Module], volume: bool) -> None:
        super().__init__()
        self.count = len(convolutions)
        norm = nn.InstanceNorm3d if volume else nn.InstanceNorm2d
        for number, convolution in enumerate(convolutions, start=1):
            setattr(self, f"conv{number}", convolution)
            if number < self.count:
                setattr(self, f"norm{number}", norm(convolution.out_channels))
        self.rectify = nn.LeakyReLU(SLOPE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number in range(1, self.count + 1):
            x = getattr(self, f"conv{number}")(x)
            if number < self.count:
                x = self.rectify(getattr(self, f"norm{number}")(x))
        return x


def encoder(channels: int, latent: int, volume: bool, widths: Sequence[int] = ()) -> Stack:
    """(1, channels, 256, 256) or (1, channels, 64, 64, 64) -> a code (1, latent, 1, 1(, 1))."""
    layers = _rows(volume, latent, widths)
    make = nn.Conv3d if volume else nn.Conv2d
    given = [channels, *(layer.channels for layer in layers)]
    return Stack(
        [
            make(given[n], layer.channels, layer.kernel, layer.stride, layer.padding)
            for n, layer in enumerate(layers)
        ],
        volume,
    )


def decoder(channels: int, latent: int, volume: bool, widths: Sequence[int] = ()) -> Stack:
    """The mirror: a code -> what the encoder takes. widths: of the encoder's layers."""
    layers = _rows(volume, latent, widths)
    make = nn.ConvTranspose3d if volume else nn.ConvTranspose2d
    given = [channels, *(layer.channels for layer in layers)]
    return Stack(
        [
            make(layer.channels, given[n], layer.kernel, layer.stride, layer.padding)
            for n, layer in reversed(list(enumerate(layers)))
        ],
        volume,
    )


def _rows(volume: bool, latent: int, widths: Sequence[int]) -> tuple[Layer, ...]:
    table = VOXEL_ENCODER if volume else DEPTH_ENCODER
    code = VOXEL_CODE if volume else DEPTH_CODE
    wide = widths or [layer.channels for layer in table]
    resized = [
        Layer(width, layer.kernel, layer.stride, layer.padding)
        for width, layer in zip(wide, table, strict=True)
    ]
    return (*resized, Layer(latent, code.kernel, code.stride, code.padding))
