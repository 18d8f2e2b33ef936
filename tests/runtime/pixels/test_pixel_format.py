"""Every readable pixel format gives the same grey image, without the camera's line padding."""

from __future__ import annotations

import re
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.packer import PACKINGS, packed_image
from voxgate.runtime.pixels.pixel_format import READABLE, colours_from_bytes, grey_from_bytes

# those with half their hue are held against OpenCV in test_colour_formats
MONO_AND_COLOUR = [name for name in READABLE if not name.startswith("Bayer") and "422" not in name]
Read = Callable[[str, npt.NDArray[np.uint8], int, int], npt.NDArray[np.uint8]]
GREY = np.array([[0, 64, 128], [192, 250, 255]], dtype=np.uint8)


def _encoded(pixel_format: str) -> bytes:
    kind, packing = re.fullmatch(r"(Mono|RGBa?|BGRa?)(.+)", pixel_format).groups()  # type: ignore[union-attr]
    channels = [GREY] * (1 if kind == "Mono" else 3)
    if kind.endswith("a"):
        channels.append(np.full(GREY.shape, 255, np.uint8))
    bits = PACKINGS[packing].bits
    lines = np.dstack(channels).astype(int).reshape(2, -1) << (bits - 8)
    return packed_image(lines.tolist(), packing)


@pytest.mark.parametrize("pixel_format", MONO_AND_COLOUR)
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


@pytest.mark.parametrize(
    "pixel_format",
    ["YUV411_8_UYYVYY", "YCbCr411_8", "YUV8_UYV", "RGB8_Planar", "RGB10p32", "RGB565p", "Mono1p"],
)
@pytest.mark.parametrize("read", [grey_from_bytes, colours_from_bytes])
def test_an_unknown_format_is_guessed(read: Read, pixel_format: str) -> None:
    with pytest.raises(ValueError, match=f"{pixel_format} cannot be read; choose"):
        read(pixel_format, np.zeros(99, dtype=np.uint8), 3, 2)


def test_line_padding_ends_up_in_the_image() -> None:
    padded = np.hstack([GREY, np.full((2, 5), 77, np.uint8)]).ravel()
    np.testing.assert_array_equal(grey_from_bytes("Mono8", padded, 3, 2, padding=5), GREY)
    with pytest.raises(ValueError, match="padded Mono8"):
        grey_from_bytes("Mono8", padded[:-1], 3, 2, padding=5)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
@pytest.mark.parametrize("padding", [0, 1, 3, 8])
@pytest.mark.parametrize(("width", "height"), [(8, 4), (7, 4), (5, 3), (6, 5), (1, 3), (641, 3)])
def test_packed_pixels_with_line_padding_are_shifted(
    packing: str, padding: int, width: int, height: int
) -> None:
    """Right to the pixel at every width, whatever a line's last byte is shared with."""
    bits = PACKINGS[packing].bits
    random = np.random.default_rng(width * 100 + padding)
    values = random.integers(0, 1 << bits, (height, width))
    data = packed_image(values.tolist(), packing, padding)
    data += b"behind the image"
    grey = grey_from_bytes(f"Mono{packing}", np.frombuffer(data, np.uint8), width, height, padding)
    np.testing.assert_array_equal(grey, values >> (bits - 8))


@pytest.mark.parametrize("padding", [1, 4])
def test_padding_between_colours_ends_up_in_the_image(padding: int) -> None:
    lines = np.repeat(GREY[..., None], 3, axis=2).reshape(2, 9)
    padded = np.hstack([lines, np.full((2, padding), 9, np.uint8)]).ravel()
    np.testing.assert_array_equal(grey_from_bytes("RGB8", padded, 3, 2, padding), GREY)


# a colour filter


@pytest.mark.parametrize("pattern", ["RG", "BG", "GR", "GB"])
@pytest.mark.parametrize(
    ("colour", "luma"),
    [((255, 0, 0), 76.2), ((0, 255, 0), 149.7), ((0, 0, 255), 29.1), ((90, 90, 90), 90.0)],
    ids=["red", "green", "blue", "grey"],
)
def test_a_colour_filter_s_pattern_is_left_in_the_image(
    pattern: str, colour: tuple[int, int, int], luma: float
) -> None:
    """One colour everywhere is one grey everywhere, at the border too (ITU-R BT.601)."""
    mosaic = _mosaic(pattern, np.broadcast_to(np.array(colour), (5, 7, 3)))
    grey = grey_from_bytes(f"Bayer{pattern}8", mosaic.astype(np.uint8).ravel(), 7, 5)
    assert np.ptp(grey) == 0
    assert abs(int(grey[0, 0]) - luma) <= 1


@pytest.mark.parametrize("pattern", ["RG", "BG", "GR", "GB"])
@pytest.mark.parametrize("packing", ["10", "10p", "10Packed", "12", "12p", "12Packed", "14p", "16"])
def test_a_packed_mosaic_is_misread(pattern: str, packing: str) -> None:
    """The same scene through every packing as through 8 bits."""
    scene = np.random.default_rng(3).integers(0, 256, (6, 9, 3))
    mosaic = _mosaic(pattern, scene)
    plain = grey_from_bytes(f"Bayer{pattern}8", mosaic.astype(np.uint8).ravel(), 9, 6)
    deep = mosaic << (PACKINGS[packing].bits - 8)
    data = np.frombuffer(packed_image(deep.tolist(), packing, 2), np.uint8)
    grey = grey_from_bytes(f"Bayer{pattern}{packing}", data, 9, 6, 2)
    assert np.abs(grey.astype(int) - plain).max() <= 1  # rounded in other counts


def test_missing_colours_are_taken_from_the_wrong_neighbours() -> None:
    """OpenCV names its patterns by the second line's second pixel, two steps on."""
    codes = {
        "RG": cv2.COLOR_BayerBG2GRAY,
        "BG": cv2.COLOR_BayerRG2GRAY,
        "GR": cv2.COLOR_BayerGB2GRAY,
        "GB": cv2.COLOR_BayerGR2GRAY,
    }
    mosaic = np.random.default_rng(4).integers(0, 256, (20, 30)).astype(np.uint8)
    for pattern, code in codes.items():
        grey = grey_from_bytes(f"Bayer{pattern}8", mosaic.ravel(), 30, 20)
        expected = cv2.cvtColor(mosaic, code)
        inside = np.s_[1:-1, 1:-1]  # it repeats its border, which is another choice
        assert np.abs(grey[inside].astype(int) - expected[inside]).max() <= 1


def test_a_mosaic_without_a_pattern_is_read() -> None:
    with pytest.raises(ValueError, match="2 x 2 pixels at the least"):
        grey_from_bytes("BayerRG8", np.zeros(9, np.uint8), 9, 1)


def _mosaic(pattern: str, scene: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(h, w) of what stands behind each pixel's filter, from (h, w, 3) red, green, blue."""
    letters = pattern + {"RG": "GB", "BG": "GR", "GR": "BG", "GB": "RG"}[pattern]
    height, width, _ = scene.shape
    mosaic = np.zeros((height, width), np.int64)
    for row in range(height):
        for column in range(width):
            letter = letters[2 * (row % 2) + column % 2]
            mosaic[row, column] = scene[row, column, "RGB".index(letter)]
    return mosaic
