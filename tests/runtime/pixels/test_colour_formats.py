"""What a colour camera sends, held against OpenCV and against the textbook's own sums."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.packer import PACKINGS, packed_image
from voxgate.runtime.pixels.bayer import SECOND_LINE
from voxgate.runtime.pixels.luma_chroma import FORMATS
from voxgate.runtime.pixels.pixel_format import colours_from_bytes, grey_from_bytes

HEIGHT, WIDTH = 34, 46
Colour = npt.NDArray[np.uint8]
# OpenCV names a mosaic by the second line's second and third pixel
BY_OPENCV = {
    "RG": cv2.COLOR_BayerBG2RGB,
    "GR": cv2.COLOR_BayerGB2RGB,
    "GB": cv2.COLOR_BayerGR2RGB,
    "BG": cv2.COLOR_BayerRG2RGB,
}


def _scene(seed: int = 0) -> Colour:
    """Colours of every kind, with soft and hard edges."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    soft = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    soft[10:20, 12:30] = (220, 40, 20)
    return np.asarray(soft, np.uint8)


def _mosaic(colour: Colour, pattern: str) -> Colour:
    """What lies behind a filter whose first two pixels are `pattern`."""
    found = np.empty(colour.shape[:2], np.uint8)
    for row, line in enumerate((pattern, SECOND_LINE[pattern])):
        for column, name in enumerate(line):
            channel = "RGB".index(name)
            found[row::2, column::2] = colour[row::2, column::2, channel]
    return found


@pytest.mark.parametrize("pattern", SECOND_LINE)
def test_a_mosaic_of_any_pattern_becomes_the_colours_that_opencv_sees(pattern: str) -> None:
    mosaic = _mosaic(_scene(), pattern)
    found = colours_from_bytes(f"Bayer{pattern}8", mosaic.reshape(-1), WIDTH, HEIGHT)
    expected = cv2.cvtColor(mosaic, BY_OPENCV[pattern])
    inside = np.s_[1:-1, 1:-1]  # at the border OpenCV repeats
    assert np.abs(found[inside].astype(int) - expected[inside]).max() <= 1


@pytest.mark.parametrize("pattern", SECOND_LINE)
def test_an_even_colour_is_itself_up_to_the_border(pattern: str) -> None:
    flat = np.full((HEIGHT, WIDTH, 3), (200, 60, 20), np.uint8)
    mosaic = _mosaic(flat, pattern)
    found = colours_from_bytes(f"Bayer{pattern}8", mosaic.reshape(-1), WIDTH, HEIGHT)
    np.testing.assert_array_equal(found, flat)


@pytest.mark.parametrize(
    ("suffix", "bits"), [("10", 10), ("12", 12), ("16", 16), ("12p", 12), ("12Packed", 12)]
)
def test_a_deeper_mosaic_gives_its_high_bits(suffix: str, bits: int) -> None:
    deep = _mosaic(_scene(), "GR") * np.uint16(1 << (bits - 8))
    found = colours_from_bytes(f"BayerGR{suffix}", _packed(deep, suffix, bits), WIDTH, HEIGHT)
    plain = colours_from_bytes("BayerGR8", _mosaic(_scene(), "GR").reshape(-1), WIDTH, HEIGHT)
    assert np.abs(found.astype(int) - plain).max() <= 1


def _packed(deep: npt.NDArray[np.uint16], suffix: str, bits: int) -> npt.NDArray[np.uint8]:
    """Two values of 12 bits in three bytes, or each in two."""
    if suffix.isdigit():
        return deep.view(np.uint8).reshape(-1)
    low, high = deep.reshape(-1)[::2], deep.reshape(-1)[1::2]
    if suffix.endswith("Packed"):
        three = (low >> 4, (low & 15) | (high & 15) << 4, high >> 4)
    else:
        three = (low & 255, low >> 8 | (high & 15) << 4, high >> 4)
    return np.stack(three, axis=1).astype(np.uint8).reshape(-1)


@pytest.mark.parametrize(
    ("order", "places"),
    [("RGB", (0, 1, 2)), ("BGR", (2, 1, 0)), ("RGBa", (0, 1, 2, 2)), ("BGRa", (2, 1, 0, 1))],
)
@pytest.mark.parametrize("packing", ["8", "10", "10p", "12", "12p", "14", "14p", "16"])
def test_red_is_not_taken_for_blue(order: str, places: tuple[int, ...], packing: str) -> None:
    scene = _scene()
    lines = scene[..., places].reshape(HEIGHT, -1).astype(int) << (PACKINGS[packing].bits - 8)
    data = np.frombuffer(packed_image(lines.tolist(), packing, padding := 5), np.uint8)
    found = colours_from_bytes(f"{order}{packing}", data, WIDTH, HEIGHT, padding)
    np.testing.assert_array_equal(found, scene)


def _as_422(scene: Colour, pixel_format: str) -> tuple[npt.NDArray[np.uint8], Colour]:
    """The bytes of a picture with half its hue, and that picture, in floating point numbers."""
    red_share, blue_share = (0.2126, 0.0722) if "709" in pixel_format else (0.299, 0.114)
    red, green, blue = scene.astype(float).transpose(2, 0, 1)
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    hue = np.stack([(blue - luma) / (2 - 2 * blue_share), (red - luma) / (2 - 2 * red_share)])
    hue = (hue[..., ::2] + hue[..., 1::2]) / 2
    narrow = "601" in pixel_format or "709" in pixel_format
    y = luma * (219 / 255 if narrow else 1) + (16 if narrow else 0)
    c = hue * (224 / 255 if narrow else 1) + 128
    lines = np.empty((HEIGHT, 2 * WIDTH))
    hue_first = pixel_format.endswith(("UYVY", "CbYCrY"))
    lines[:, int(hue_first) :: 2] = y
    lines[:, 1 - int(hue_first) :: 4] = c[0]
    lines[:, 3 - int(hue_first) :: 4] = c[1]
    cb, cr = np.repeat(hue, 2, axis=2)
    r, b = luma + (2 - 2 * red_share) * cr, luma + (2 - 2 * blue_share) * cb
    g = (luma - red_share * r - blue_share * b) / (1 - red_share - blue_share)
    expected = np.clip(np.rint(np.stack([r, g, b], axis=-1)), 0, 255)
    return np.clip(np.rint(lines), 0, 255).astype(np.uint8).reshape(-1), expected.astype(np.uint8)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_hue_beside_luma_becomes_the_colours_it_was_made_from(pixel_format: str) -> None:
    content, expected = _as_422(_scene(), pixel_format)
    found = colours_from_bytes(pixel_format, content, WIDTH, HEIGHT)
    assert np.abs(found.astype(int) - expected).max() <= 3  # hue was rounded on the way
    grey = grey_from_bytes(pixel_format, content, WIDTH, HEIGHT)
    shares = np.array([0.2126, 0.7152, 0.0722] if "709" in pixel_format else [0.299, 0.587, 0.114])
    luma = _scene() @ shares
    assert np.abs(grey - luma).max() <= 1.5


@pytest.mark.parametrize(
    ("pixel_format", "code"),
    [
        ("YCbCr601_422_8", cv2.COLOR_YUV2RGB_YUYV),
        ("YCbCr601_422_8_CbYCrY", cv2.COLOR_YUV2RGB_UYVY),
    ],
)
def test_hue_beside_luma_is_what_opencv_makes_of_it(pixel_format: str, code: int) -> None:
    content, _ = _as_422(_scene(), pixel_format)
    expected = cv2.cvtColor(content.reshape(HEIGHT, WIDTH, 2), code)
    found = colours_from_bytes(pixel_format, content, WIDTH, HEIGHT)
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    ("pixel_format", "width", "said"),
    [
        ("Mono8", WIDTH, "Mono8 is grey, the cell says `colour: true`: set BayerRG8"),
        ("Mono12p", WIDTH, "is grey"),
        ("YUV422_8", WIDTH - 17, "two pixels share their hue, got lines of 29"),
        ("RGB8", WIDTH, "needs 4692 bytes"),
        ("YUV411_8_UYYVYY", WIDTH, "cannot be read; choose Mono8"),
    ],
)
def test_what_has_no_colour_or_too_few_bytes_is_refused_in_one_line(
    pixel_format: str, width: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        colours_from_bytes(pixel_format, np.zeros(3000, np.uint8), width, HEIGHT)
    assert "\n" not in str(caught.value)
