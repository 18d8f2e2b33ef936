"""Every readable pixel format gives the same grey image, without the camera's line padding."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.runtime.pixels.pixel_format import (
    READABLE,
    bits_per_pixel,
    grey_from_bytes,
    without_padding,
)

GREY = np.array([[0, 64, 128], [192, 250, 255]], dtype=np.uint8)


def _packed(values: list[int], bits: int) -> bytes:
    number = sum(value << (bits * i) for i, value in enumerate(values))
    return number.to_bytes(-(-bits * len(values) // 8), "little")


def _encoded(pixel_format: str) -> bytes:
    if pixel_format in ("RGB8", "BGR8"):
        return np.repeat(GREY[..., None], 3, axis=2).tobytes()
    if pixel_format in ("RGBa8", "BGRa8"):
        opaque = np.full(GREY.shape, 255, np.uint8)
        return np.dstack([GREY, GREY, GREY, opaque]).tobytes()
    bits = int(pixel_format.removeprefix("Mono").removesuffix("p"))
    values = GREY.astype(np.uint16) << (bits - 8)
    if pixel_format.endswith("p"):
        return _packed([int(value) for value in values.ravel()], bits)
    return values.astype("<u1" if bits == 8 else "<u2").tobytes()


@pytest.mark.parametrize("pixel_format", READABLE)
def test_a_format_is_read_wrongly(pixel_format: str) -> None:
    data = np.frombuffer(_encoded(pixel_format) + b"rest of the buffer", dtype=np.uint8)
    grey = grey_from_bytes(pixel_format, data, 3, 2)
    np.testing.assert_array_equal(grey, GREY)
    assert grey.dtype == np.uint8
    assert not np.shares_memory(grey, data)


@pytest.mark.parametrize(("pixel_format", "expected"), [("RGB8", 76), ("BGR8", 28)])
def test_red_and_blue_are_exchanged(pixel_format: str, expected: int) -> None:
    red_first = np.array([255, 0, 0], dtype=np.uint8)
    assert grey_from_bytes(pixel_format, red_first, 1, 1).tolist() == [[expected]]


@pytest.mark.parametrize("pixel_format", READABLE)
def test_a_short_buffer_is_read_beyond_its_end(pixel_format: str) -> None:
    with pytest.raises(ValueError, match="needs"):
        grey_from_bytes(pixel_format, np.zeros(5, dtype=np.uint8), 3, 2)


def test_an_unknown_format_is_guessed() -> None:
    with pytest.raises(ValueError, match="BayerRG8 cannot be read; choose"):
        grey_from_bytes("BayerRG8", np.zeros(99, dtype=np.uint8), 3, 2)


def test_line_padding_ends_up_in_the_image() -> None:
    padded = np.hstack([GREY, np.full((2, 5), 77, np.uint8)]).ravel()
    plain = without_padding(padded, line_bytes=3, padding=5, height=2)
    np.testing.assert_array_equal(grey_from_bytes("Mono8", plain, 3, 2), GREY)
    with pytest.raises(ValueError, match="padded image"):
        without_padding(padded[:-1], line_bytes=3, padding=5, height=2)


def test_pixel_size_is_taken_from_the_wrong_bits() -> None:
    assert bits_per_pixel(0x01080001) == 8  # Mono8
    assert bits_per_pixel(0x02200016) == 32  # RGBa8
    assert bits_per_pixel(0x011000B8) == 16  # Coord3D_C16
