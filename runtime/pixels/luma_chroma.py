"""Luma with half as much hue beside it (YUV 4:2:2) -> red, green and blue, or the luma alone.

PFNC 2.x: YUV and YCbCr take all 256 levels, YCbCr601 and YCbCr709 luma 16 to 235 and hue 16 to 240;
all but the last weigh by ITU-R BT.601. Two pixels share their hue.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import ColourImage, GreyImage
from voxgate.runtime.pixels.packing import Bytes, Packing, lines_of_values

FAMILIES = ("YUV422_8", "YCbCr422_8", "YCbCr601_422_8", "YCbCr709_422_8")
FORMATS = (
    *FAMILIES,
    "YUV422_8_UYVY",
    *(f"{family}_CbYCrY" for family in FAMILIES[1:]),
)
"""Luma first, or hue first."""
_BT601, _BT709 = (0.299, 0.114), (0.2126, 0.0722)  # of red and blue in luma
_UNIT = 64  # tables count in 1/64: sums of three still fit 16 bits
_NAME = re.compile(r"(\w+422_8)(_UYVY|_CbYCrY)?")

Table = npt.NDArray[np.int16]


class _Tables(NamedTuple):
    """What each of 256 levels adds, in 1/64 of a level."""

    luma: Table
    red_of_cr: Table
    green_of_cb: Table
    green_of_cr: Table
    blue_of_cb: Table


def luma_from_422(
    pixel_format: str, data: Bytes, width: int, height: int, padding: int = 0
) -> GreyImage:
    """(h, w) uint8, stretched to 256 levels. Raises ValueError for too few bytes."""
    luma, _, _ = _planes(pixel_format, data, width, height, padding)
    return _levels(_tables(_family(pixel_format)).luma[luma])


def colours_from_422(
    pixel_format: str, data: Bytes, width: int, height: int, padding: int = 0
) -> ColourImage:
    """(h, w, 3) uint8. Raises ValueError for too few bytes."""
    luma, cb, cr = _planes(pixel_format, data, width, height, padding)
    by = _tables(_family(pixel_format))
    grey = by.luma[luma]
    colour = np.empty((height, width, 3), np.uint8)
    hues = (by.red_of_cr[cr], by.green_of_cb[cb] + by.green_of_cr[cr], by.blue_of_cb[cb])
    for channel, hue in enumerate(hues):
        colour[..., channel] = _levels(grey + np.repeat(hue, 2, axis=1))
    return colour


def _planes(
    pixel_format: str, data: Bytes, width: int, height: int, padding: int
) -> tuple[Bytes, Bytes, Bytes]:
    """Luma (h, w), and the two hues (h, w / 2)."""
    lines = lines_of_values(pixel_format, Packing(8, 8, ""), data, 2 * width, height, padding)
    if width % 2:
        raise ValueError(f"{pixel_format}: two pixels share their hue, got lines of {width}")
    hue_first = pixel_format != _family(pixel_format)
    hue = lines[:, 1 - hue_first :: 2]
    return lines[:, hue_first::2], hue[:, ::2], hue[:, 1::2]


def _levels(counts: Table) -> GreyImage:
    counts += _UNIT // 2
    counts >>= 6
    return np.clip(counts, 0, 255).astype(np.uint8)


def _family(pixel_format: str) -> str:
    match = _NAME.fullmatch(pixel_format)
    assert match is not None  # of FORMATS
    return match.group(1)


@cache
def _tables(family: str) -> _Tables:
    red, blue = _BT709 if family.startswith("YCbCr709") else _BT601
    green, whole = 1 - red - blue, family in FAMILIES[:2]
    level = np.arange(256.0)
    luma = level if whole else (level - 16) * 255 / 219
    hue = (level - 128) * (1.0 if whole else 255 / 224)
    added = (
        luma,
        2 * (1 - red) * hue,
        -2 * (1 - blue) * blue / green * hue,
        -2 * (1 - red) * red / green * hue,
        2 * (1 - blue) * hue,
    )
    return _Tables(*(np.rint(_UNIT * each).astype(np.int16) for each in added))
