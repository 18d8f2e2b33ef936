"""Pixels of a camera -> the 8-bit picture that is inspected (names and packing: PFNC 2.x)."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import ColourImage, GreyImage
from voxgate.runtime.pixels import luma_chroma
from voxgate.runtime.pixels.bayer import SECOND_LINE, colours_from_mosaic, luma_from_mosaic
from voxgate.runtime.pixels.luma_chroma import colours_from_422, luma_from_422
from voxgate.runtime.pixels.packing import Values, lines_of_values, packing_of

_PLAIN = ("8", "10", "10p", "12", "12p", "14", "14p", "16")
_MOSAICS = (*_PLAIN, "10Packed", "12Packed")
# where red, green and blue stand, and values per pixel
_ORDERS = {"RGB": (0, 1, 2, 3), "BGR": (2, 1, 0, 3), "RGBa": (0, 1, 2, 4), "BGRa": (2, 1, 0, 4)}
_COLOUR = {
    f"{order}{packing}": (places, packing_of(packing))
    for order, places in _ORDERS.items()
    for packing in _PLAIN
}
READABLE = (
    *(f"Mono{packing}" for packing in _MOSAICS),
    *(f"Bayer{pattern}{packing}" for pattern in SECOND_LINE for packing in _MOSAICS),
    *_COLOUR,
    *luma_chroma.FORMATS,
)
COLOURED = (
    "BayerRG8 to 16 (BG, GR, GB), also p or Packed, RGB8 or BGR8 to 16, also p, YUV422_8 or "
    "YCbCr422_8"
)
IN_WORDS = f"Mono8 to Mono16, also p or Packed, {COLOURED}"
_MOSAIC = re.compile(r"(?:Mono|Bayer(..))(.+)")


def grey_from_bytes(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int = 0
) -> GreyImage:
    """A copy of the image as (h, w) uint8 grey; the high 8 bits of deeper pixels, luma of colour.

    `data` is uint8 (n,), `padding` bytes after each line; bytes behind the image are ignored.
    Raises ValueError for a format that is not in READABLE or for too few bytes.
    """
    _check_readable(pixel_format)
    if pixel_format in luma_chroma.FORMATS:
        return luma_from_422(pixel_format, data, width, height, padding)
    if pixel_format in _COLOUR:
        return _luma(pixel_format, data, width, height, padding)
    match = _MOSAIC.fullmatch(pixel_format)
    assert match is not None
    pattern, packing = match.group(1), packing_of(match.group(2))
    pixels = lines_of_values(pixel_format, packing, data, width, height, padding)
    return _high_bits(luma_from_mosaic(pattern, pixels) if pattern else pixels, packing.bits)


def colours_from_bytes(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int = 0
) -> ColourImage:
    """As `grey_from_bytes`, (h, w, 3) red, green and blue. Raises ValueError for a grey one too."""
    _check_readable(pixel_format)
    if pixel_format in luma_chroma.FORMATS:
        return colours_from_422(pixel_format, data, width, height, padding)
    if pixel_format in _COLOUR:
        return np.stack(_channels(pixel_format, data, width, height, padding), axis=-1)
    match = _MOSAIC.fullmatch(pixel_format)
    assert match is not None
    pattern, packing = match.group(1), packing_of(match.group(2))
    if not pattern:
        raise ValueError(f"{pixel_format} is grey, the cell says `colour: true`: set {COLOURED}")
    mosaic = lines_of_values(pixel_format, packing, data, width, height, padding)
    return _high_bits(colours_from_mosaic(pattern, mosaic), packing.bits)


def _check_readable(pixel_format: str) -> None:
    if pixel_format not in READABLE:
        raise ValueError(f"pixel format {pixel_format} cannot be read; choose {IN_WORDS}")


def _high_bits(pixels: Values, bits: int) -> GreyImage:
    shifted = pixels >> (bits - 8) if bits > 8 else pixels
    grey: GreyImage = shifted.astype(np.uint8)
    return grey


def _luma(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int
) -> GreyImage:
    """ITU-R BT.601 weights in 1/256."""
    red, green, blue = _channels(pixel_format, data, width, height, padding)
    grey: npt.NDArray[np.uint16] = red * np.uint16(77)
    grey += green * np.uint16(150)
    grey += blue * np.uint16(29)
    return (grey >> 8).astype(np.uint8)


def _channels(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int, padding: int
) -> list[GreyImage]:
    """Red, green and blue, (h, w) each; the high 8 bits of deeper ones."""
    (*places, size), packing = _COLOUR[pixel_format]
    lines = lines_of_values(pixel_format, packing, data, width * size, height, padding)
    pixels = lines.reshape(height, width, size)
    return [_high_bits(pixels[:, :, place], packing.bits) for place in places]
