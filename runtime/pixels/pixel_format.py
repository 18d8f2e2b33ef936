"""Pixels of a camera -> the 8-bit grey image that is inspected (names and packing: PFNC 2.x)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import GreyImage

_MONO_BITS = {"Mono8": 8, "Mono10": 10, "Mono12": 12, "Mono14": 14, "Mono16": 16}
_MONO_PACKED_BITS = {"Mono10p": 10, "Mono12p": 12}
# where red, green and blue stand, and bytes per pixel
_COLOUR = {
    "RGB8": (0, 1, 2, 3),
    "BGR8": (2, 1, 0, 3),
    "RGBa8": (0, 1, 2, 4),
    "BGRa8": (2, 1, 0, 4),
}
READABLE = (*_MONO_BITS, *_MONO_PACKED_BITS, *_COLOUR)


def bits_per_pixel(pfnc_value: int) -> int:
    """Bits one pixel takes in memory: bits 16 to 23 of every PFNC value."""
    return pfnc_value >> 16 & 0xFF


def grey_from_bytes(
    pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int
) -> GreyImage:
    """A copy of the image as (h, w) uint8 grey; the high 8 bits of deeper pixels, luma of colour.

    `data` is uint8 (n,), lines without padding; bytes behind the image are ignored.
    Raises ValueError for a format that is not in READABLE or for too few bytes.
    """
    count = width * height
    if pixel_format in _COLOUR:
        return _luma(pixel_format, data, width, height)
    if pixel_format in _MONO_PACKED_BITS:
        bits = _MONO_PACKED_BITS[pixel_format]
        return _high_bits(unpacked(pixel_format, bits, data, count), bits).reshape(height, width)
    if pixel_format not in _MONO_BITS:
        raise ValueError(f"pixel format {pixel_format} cannot be read; choose {READABLE}")
    bits = _MONO_BITS[pixel_format]
    kind = np.dtype("<u1" if bits == 8 else "<u2")
    check_size(pixel_format, data, count * kind.itemsize)
    pixels = data[: count * kind.itemsize].view(kind)
    return _high_bits(pixels, bits).reshape(height, width)


def unpacked(
    pixel_format: str, bits: int, data: npt.NDArray[np.uint8], count: int
) -> npt.NDArray[np.uint16]:
    """PFNC "p": values of `bits` follow each other without gaps, least significant bit first."""
    size = -(-count * bits // 8)
    check_size(pixel_format, data, size)
    stream = np.unpackbits(data[:size], bitorder="little")[: count * bits].reshape(count, bits)
    weights = np.left_shift(1, np.arange(bits)).astype(np.uint16)
    values: npt.NDArray[np.uint16] = (stream * weights).sum(axis=1, dtype=np.uint16)
    return values


def without_padding(
    data: npt.NDArray[np.uint8], line_bytes: int, padding: int, height: int
) -> npt.NDArray[np.uint8]:
    """The lines of a buffer one after the other; raises ValueError when it is too short."""
    if padding == 0:
        return data
    check_size("padded image", data, (line_bytes + padding) * height)
    lines = data[: (line_bytes + padding) * height].reshape(height, line_bytes + padding)
    return np.ascontiguousarray(lines[:, :line_bytes]).reshape(-1)


def check_size(pixel_format: str, data: npt.NDArray[np.uint8], needed: int) -> None:
    """Raises ValueError when `data` has fewer than `needed` bytes."""
    if data.size < needed:
        raise ValueError(f"a {pixel_format} part needs {needed} bytes, got {data.size}")


def _high_bits(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], bits: int) -> GreyImage:
    shifted = pixels >> (bits - 8) if bits > 8 else pixels
    grey: GreyImage = shifted.astype(np.uint8)
    return grey


def _luma(pixel_format: str, data: npt.NDArray[np.uint8], width: int, height: int) -> GreyImage:
    """ITU-R BT.601 weights in 1/256."""
    red, green, blue, size = _COLOUR[pixel_format]
    check_size(pixel_format, data, width * height * size)
    pixels = data[: width * height * size].reshape(height, width, size)
    grey: npt.NDArray[np.uint16] = pixels[:, :, red] * np.uint16(77)
    grey += pixels[:, :, green] * np.uint16(150)
    grey += pixels[:, :, blue] * np.uint16(29)
    return (grey >> 8).astype(np.uint8)
