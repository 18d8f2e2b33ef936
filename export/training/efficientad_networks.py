"""EfficientAD's networks before they have learnt: numbered layers as they were published."""

from __future__ import annotations

from itertools import chain, pairwise

from torch import nn

DROPOUT = 0.2
BETWEEN = ((64, 1), (32, 0), (16, 1), (8, 0), (4, 1), (2, 1))
"""Sides between the decoder's layers: of the input's, one part in so many, less so many px."""


def student_of(size: str, channels: int) -> nn.Sequential:
    """The patch description network of paper tables 6 (small) and 7 (medium), unpadded."""
    first, second = (128, 256) if size == "small" else (256, 512)
    head = [*_convolved(3, first, 4), nn.AvgPool2d(2, 2)]
    head += [*_convolved(first, second, 4), nn.AvgPool2d(2, 2)]
    if size == "small":
        return nn.Sequential(*head, *_convolved(second, second, 3), nn.Conv2d(second, channels, 4))
    body = [*_convolved(second, second, 1), *_convolved(second, second, 3)]
    tail = [*_convolved(second, channels, 4), nn.Conv2d(channels, channels, 1)]
    return nn.Sequential(*head, *body, *tail)


def autoencoder_of(side: int, channels: int) -> nn.Sequential:
    """Paper table 8, for squares of `side` px: 64 numbers a place between, then up again."""
    widths = (3, 32, 32, 64, 64, 64)
    encoder = chain.from_iterable(
        (nn.Conv2d(given, found, 4, 2, 1), nn.ReLU()) for given, found in pairwise(widths)
    )
    decoder = chain.from_iterable(_enlarged(side // part - less) for part, less in BETWEEN)
    last = [nn.Upsample(-(-side // 4) - 8, mode="bilinear"), nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(
        *encoder, nn.Conv2d(64, 64, 8), *decoder, *last, nn.Conv2d(64, channels, 3, 1, 1)
    )


def _convolved(given: int, found: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(given, found, kernel), nn.ReLU()


def _enlarged(side: int) -> tuple[nn.Module, ...]:
    up = nn.Upsample(side, mode="bilinear")
    return up, nn.Conv2d(64, 64, 4, 1, 2), nn.ReLU(), nn.Dropout(DROPOUT)
