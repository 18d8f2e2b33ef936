"""Pixels of a camera -> the 8-bit grey image that is inspected (names and packing: PFNC 2.x)."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import GreyImage
from voxgate.runtime.pixels.bayer import SECOND_LINE, luma_from_mosaic
from voxgate.runtime.pixels.packing import Packing, Values, lines_of_values, packing_of

_MONO = ("8", "10", "10p", "10Packed", "12", "12p", "12Packed", "14", "16")
_BAYER = ("8", "10", "10p", "10Packed", "12", "12p", "12Packed", "16")
# where red, green and blue stand, and bytes per pixel
_COLOUR = {
    "RGB8": (0, 1, 2, 3),
    "BGR8": (2, 1, 0, 3),
    "RGBa8": (0, 1, 2, 4),
    "BGRa8": (2, 1, 0, 4),
}
READABLE = (
    *(f"Mono{packing}" for packing in _MONO),
    *(f"Bayer{pattern}{packing}" for pattern in SECOND_LINE for packing in _BAYER),
    *_COLOUR,
)
IN_WORDS = "Mono8 to Mono16, BayerRG8 to 16 (BG, GR, GB), each also p or Packed, RGB8 or BGR8"
_MOSAIC = re.compile(r"(?:Mono|Bayer(..))(.+)")


def grey_from_bytes(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int = 0
) -> GreyImage:
    """A copy of the image as (h, w) uint8 grey; the high 8 bits of deeper pixels, luma of colour.

    `data` is uint8 (n,), `padding` bytes after each line; bytes behind the image are ignored.
    Raises ValueError for a format that is not in READABLE or for too few bytes.
    """
    if pixel_format not in READABLE:
        raise ValueError(f"pixel format {pixel_format} cannot be read; choose {IN_WORDS}")
    if pixel_format in _COLOUR:
        return _luma(pixel_format, data, width, height, padding)
    match = _MOSAIC.fullmatch(pixel_format)
    assert match is not None
    pattern, packing = match.group(1), packing_of(match.group(2))
    pixels = lines_of_values(pixel_format, packing, data, width, height, padding)
    return _high_bits(luma_from_mosaic(pattern, pixels) if pattern else pixels, packing.bits)


def _high_bits(pixels: Values, bits: int) -> GreyImage:
    shifted = pixels >> (bits - 8) if bits > 8 else pixels
    grey: GreyImage = shifted.astype(np.uint8)
    return grey


def _luma(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int
) -> GreyImage:
    """ITU-R BT.601 weights in 1/256."""
    red, green, blue, size = _COLOUR[pixel_format]
    lines = lines_of_values(pixel_format, Packing(8, 8, ""), data, width * size, height, padding)
    pixels = lines.reshape(height, width, size)
    grey: npt.NDArray[np.uint16] = pixels[:, :, red] * np.uint16(77)
    grey += pixels[:, :, green] * np.uint16(150)
    grey += pixels[:, :, blue] * np.uint16(29)
    return (grey >> 8).astype(np.uint8)
