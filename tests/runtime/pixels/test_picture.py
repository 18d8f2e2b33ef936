"""A damaged or wrong picture must not become an image: half of it would be grey and look fine."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kits.repository import ROOT
from voxgate.runtime.pixels.picture import decode_counts, decode_depth, decode_picture, encode_png

EXAMPLE = ROOT / "examples" / "bracket" / "good"
JPEG = (EXAMPLE / "images" / "00.jpg").read_bytes()
PNG16 = (EXAMPLE / "depth" / "00.png").read_bytes()


def _encoded(kind: str, image: object) -> bytes:
    done, content = cv2.imencode(kind, np.asarray(image))
    assert done
    return content.tobytes()


SMALL_GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
SMALL_JPEG = _encoded(".jpg", SMALL_GREY)
SMALL_PNG = _encoded(".png", SMALL_GREY)
SMALL_DEPTH = _encoded(".png", SMALL_GREY.astype(np.uint16) * 1000)


def test_pictures_are_read_as_they_are() -> None:
    assert decode_picture(JPEG, 800, 600).shape == (600, 800)
    np.testing.assert_array_equal(decode_picture(SMALL_PNG, 8, 6), SMALL_GREY)


def test_depth_is_mm_and_nan_where_nothing_came_back() -> None:
    depth_mm = decode_depth(SMALL_DEPTH, 8, 6, 0.05)
    assert depth_mm.dtype == np.float32
    assert np.isnan(depth_mm[0, 0])
    np.testing.assert_allclose(depth_mm.ravel()[1:], np.arange(1, 48) * 50.0, rtol=1e-6)


@given(st.integers(0, len(SMALL_JPEG) - 1))
def test_a_jpeg_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"truncated|empty|neither|damaged"):
        decode_picture(SMALL_JPEG[:length], 8, 6)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_recording_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="truncated JPEG: the end marker is missing"):
        decode_picture(JPEG[: int(len(JPEG) * share)], 800, 600)
    with pytest.raises(ValueError, match=r"truncated PNG: \d+ bytes are missing|ends within"):
        decode_depth(PNG16[: int(len(PNG16) * share)], 800, 600, 0.05)


@given(st.integers(0, len(SMALL_DEPTH) - 1))
def test_a_png_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"truncated|empty|neither|damaged"):
        decode_depth(SMALL_DEPTH[:length], 8, 6, 0.05)


@given(st.integers(0, len(SMALL_DEPTH) * 8 - 1))
def test_a_png_with_one_wrong_bit_is_refused(bit: int) -> None:
    content = bytearray(SMALL_DEPTH)
    content[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match=r"PNG|size|must be|decoded"):
        decode_depth(bytes(content), 8, 6, 0.05)


@given(st.binary(max_size=200), st.sampled_from([b"", SMALL_JPEG[:2], SMALL_PNG[:8]]))
def test_any_bytes_are_an_image_or_one_line(content: bytes, start: bytes) -> None:
    for decode in (decode_picture, partial(decode_depth, depth_unit_mm=0.05)):
        with pytest.raises(ValueError, match=r".") as caught:
            decode(start + content, 8, 6)
        assert "\n" not in str(caught.value)


def _with_palette() -> bytes:
    """8 x 6 pixels of a palette of one colour, by the standard."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 6, 8, 3, 0, 0, 0))
    lines = chunk(b"IDAT", zlib.compress(b"\0" * 9 * 6))
    start = b"\x89PNG\r\n\x1a\n"
    return start + header + chunk(b"PLTE", b"\xff\0\0") + lines + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_encoded(".png", np.zeros((7, 8), np.uint8)), "size is 8 x 7 px"),
        (_encoded(".jpg", np.zeros((6, 9), np.uint8)), "the calibration is for 8 x 6"),
        (_encoded(".png", np.zeros((6, 8), np.uint16)), "must be 8-bit grey or RGB, got 16 bits"),
        (_encoded(".png", np.zeros((6, 8, 3), np.uint16)), "must be 8-bit grey or RGB, got 16"),
        (_encoded(".png", np.zeros((6, 8, 4), np.uint8)), "4 channels"),
        (_with_palette(), "a palette"),
        (_encoded(".jpg", np.zeros((7, 8, 3), np.uint8)), "size is 8 x 7 px"),
        (_encoded(".bmp", np.zeros((6, 8), np.uint8)), "neither JPEG nor PNG"),
        (b"", "empty file"),
    ],
)
def test_an_image_of_another_format_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decode_picture(content, 8, 6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SMALL_PNG, "must be 16-bit grey, got 8 bits"),
        (SMALL_JPEG, "must be a 16-bit PNG, got a JPEG"),
        (_encoded(".png", np.zeros((6, 4), np.uint16)), "size is 4 x 6 px"),
    ],
)
def test_depth_of_another_format_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decode_depth(content, 8, 6, 0.05)


# --- written ------------------------------------------------------------------------------------


def _scene(bits: int) -> npt.NDArray[Any]:
    """Slopes and an edge, with the noise of a sensor."""
    rows, columns = np.indices((240, 320))
    scene = 40 + rows / 4 + columns / 5 + 60.0 * (columns > 150)
    noisy = scene + np.random.default_rng(1).normal(0, 3, scene.shape)
    wide: npt.NDArray[Any] = np.rint(noisy * 2 ** (bits - 8))
    return wide.astype(np.uint8 if bits == 8 else np.uint16)


def _least_bytes(pixels: npt.NDArray[Any]) -> float:
    """What the noise itself takes: the entropy of how much a pixel differs from its left one."""
    differences = np.diff(pixels.astype(np.int64), axis=1)
    counts = np.unique(differences, return_counts=True)[1]
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum() * pixels.size / 8)


def test_a_noisy_picture_takes_much_more_room_than_its_noise() -> None:
    """Most of a recording: looking for words that come again finds none, and costs bits."""
    pixels = _scene(8)
    assert len(encode_png(pixels)) < 1.08 * _least_bytes(pixels)


def test_recorded_depth_takes_more_room_than_a_surface_needs() -> None:
    """Rows of a surface step alike: noise's way of writing took a tenth more room."""
    stored = [path.read_bytes() for path in sorted((EXAMPLE / "depth").glob("*.png"))]
    maps = [decode_counts(content, 800, 600) for content in stored]
    runs = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
    by_runs = sum(len(cv2.imencode(".png", counts, runs)[1]) for counts in maps)
    assert sum(len(encode_png(counts)) for counts in maps) < 0.93 * by_runs


@pytest.mark.parametrize("bits", [8, 16])
def test_a_picture_changes_while_it_is_written(bits: int) -> None:
    pixels = _scene(bits)
    content = encode_png(pixels)
    again = decode_picture(content, 320, 240) if bits == 8 else decode_counts(content, 320, 240)
    np.testing.assert_array_equal(again, pixels)


def test_red_and_blue_change_places_on_the_way_through_a_file() -> None:
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[:, :4] = (200, 30, 10)
    colours[:, 4:] = (10, 60, 220)
    np.testing.assert_array_equal(decode_picture(encode_png(colours), 8, 6), colours)
    # as everybody else writes and reads them: OpenCV's blue first
    bgr = cv2.imdecode(np.frombuffer(encode_png(colours), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(bgr, colours[..., ::-1])
    stored = decode_picture(_encoded(".jpg", bgr), 8, 6)
    assert np.abs(stored.astype(int) - colours).max() < 60
    assert stored[0, 0, 0] > stored[0, 0, 2]
