"""A folder of pictures is not always what it seems: copies, leftovers, turned ones."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.kits.calib_kit import BOARDS, calib, pose, refused
from voxgate.benchmarks.calibration.calib_cell import Camera, lens
from voxgate.calib.board.board_pictures import BoardPictures, find_in_pictures, list_pictures
from voxgate.runtime.nouns import GreyImage

pytestmark = pytest.mark.slow

BOARD = BOARDS["chequerboard"]


def picture(roll_deg: float = 0.0, seed: int = 0) -> GreyImage:
    return Camera(lens(), BOARD).render(pose("chequerboard", roll_deg, 20.0), seed)


def found_in(folder: Path) -> BoardPictures:
    return find_in_pictures(list_pictures(folder), BOARD)


def write(path: Path, grey: GreyImage, quality: int = 95) -> Path:
    cv2.imwrite(str(path), grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


def test_copies_do_not_count_as_new_views(tmp_path: Path) -> None:
    seen = picture()
    shutil.copy(write(tmp_path / "a.png", seen), tmp_path / "b.png")
    write(tmp_path / "c.jpg", seen, quality=80)
    noise = np.random.default_rng(0).normal(0, 3, seen.shape)
    write(tmp_path / "d.png", np.clip(seen * 0.95 + noise, 0, 255).astype(np.uint8))
    write(tmp_path / "e.png", np.roll(seen, 1, axis=1))
    write(tmp_path / "f.png", picture(roll_deg=10.0))
    found = found_in(tmp_path)
    assert [each.name for each in found.found] == ["a.png", "f.png"]
    assert [(each.name, each.of) for each in found.repeats] == [
        (name, "a.png") for name in ("b.png", "c.jpg", "d.png", "e.png")
    ]


def test_pictures_are_counted_as_a_person_counts(tmp_path: Path) -> None:
    for name in ("img_10.png", "img_2.png", "IMG_1.png", "img_01b.png", "._img_2.png"):
        (tmp_path / name).write_bytes(b"")
    names = [file.name for file in list_pictures(tmp_path)]
    assert names == ["IMG_1.png", "img_01b.png", "img_2.png", "img_10.png"]


@pytest.mark.parametrize("suffix", [".png", pytest.param(".jpg", marks=pytest.mark.nightly)])
def test_picture_that_is_shown_turned_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", picture())
    (tmp_path / "board.json").write_text(BOARD.to_json())
    path.write_bytes(_with_orientation(path.read_bytes(), 6))
    words = refused("intrinsics", tmp_path, "--board", tmp_path / "board.json")
    assert "orientation 6" in words
    path.write_bytes(_with_orientation(write(path, picture()).read_bytes(), 1))
    assert len(found_in(tmp_path).found) == 1


@pytest.mark.nightly
def test_all_pictures_are_counted_when_the_board_is_on_few(tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / f"{number}.png", picture(roll_deg=20.0 * number))
    for number in range(2, 3):
        write(tmp_path / f"{number}.png", np.full((600, 800), 100 + number, np.uint8))
    (tmp_path / "board.json").write_text(BOARD.to_json())
    words = refused("intrinsics", tmp_path, "--board", tmp_path / "board.json")
    assert "found in 2 of 3 pictures" in words


@pytest.mark.nightly
def test_copies_do_not_buy_a_smaller_uncertainty(tmp_path: Path) -> None:
    camera = Camera(lens(), BOARD)
    for number in range(10):
        at = pose("chequerboard", 36.0 * number, 10.0 + 3 * number, 420 + 20 * number)
        write(tmp_path / f"{number}.png", camera.render(at, number))
    (tmp_path / "board.json").write_text(BOARD.to_json())
    words = ["intrinsics", tmp_path, "--board", tmp_path / "board.json", "--force"]
    once = calib(*words, "--out", tmp_path / "once.json")
    for number in range(10):
        shutil.copy(tmp_path / f"{number}.png", tmp_path / f"copy{number}.png")
    twice = calib(*words, "--out", tmp_path / "twice.json")
    assert twice["figures"] == once["figures"]
    assert "copy3.png: shows what 3.png shows: both count as one" in twice["remarks"]


def _with_orientation(content: bytes, value: int) -> bytes:
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, value, 0, 0)
    if content.startswith(b"\x89PNG"):
        chunk = struct.pack(">I", len(tiff)) + b"eXIf" + tiff
        crc = struct.pack(">I", zlib.crc32(b"eXIf" + tiff))
        return content[:33] + chunk + crc + content[33:]
    body = b"Exif\0\0" + tiff
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:]
