"""A board that is printed at another scale or found elsewhere spoils every number after it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.kits.calib_kit import calib, refused
from voxgate.calib.board.board import Board, Kind
from voxgate.calib.board.board_print import (
    POINTS_PER_MM,
    pdf,
    place,
    png,
    raster,
    write_board,
)
from voxgate.calib.board.board_shapes import extent_mm, shapes
from voxgate.calib.board.detect import find_board
from voxgate.runtime.errors import CalibrationError

pytestmark = pytest.mark.slow

BOARDS = {
    "charuco": Board(Kind.CHARUCO, 8, 6, 30, 22, "5x5_50"),
    "legacy charuco": Board(Kind.CHARUCO, 8, 6, 30, 22, "4x4_50", legacy=True),
    "odd charuco": Board(Kind.CHARUCO, 7, 5, 30, 22, "apriltag_36h11"),
    "chequerboard": Board(Kind.CHEQUERBOARD, 10, 7, 25),
    "circles": Board(Kind.CIRCLES, 9, 7, 25, 12),
    "dots": Board(Kind.DOTS, 4, 11, 20, 14),
}


@pytest.mark.parametrize("name", BOARDS)
def test_printed_points_lie_where_the_description_says(name: str) -> None:
    board = BOARDS[name]
    scale, margin = 4.0, 15.0
    picture = cv2.GaussianBlur(raster(board, scale, margin), (0, 0), 1.0)
    found = find_board(picture.astype(np.uint8), board, name)
    assert found is not None
    assert len(found.pixels) == len(board.points_mm)
    left, top, _, _ = extent_mm(board)
    expected = (found.points_mm[:, :2] - (left, top) + margin) * scale - 0.5
    assert np.abs(found.pixels - expected).max() < 0.1


@pytest.mark.parametrize("name", BOARDS)
def test_description_file_is_read_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text(BOARDS[name].to_json())
    assert Board.load(tmp_path / "board.json") == BOARDS[name]


def test_pdf_is_at_true_scale() -> None:
    board = BOARDS["chequerboard"]
    content = pdf(board, place(board, "a4")).decode("latin-1")
    media = re.search(r"MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert media
    width, height = (float(value) for value in media.groups())
    assert (width / 72 * 25.4, height / 72 * 25.4) == pytest.approx((297, 210), abs=0.01)
    matrix = re.search(r"^([\d.]+) 0 0 -([\d.]+) 0", content, re.MULTILINE)
    assert matrix
    assert float(matrix[1]) == float(matrix[2]) == pytest.approx(POINTS_PER_MM)
    squares = re.findall(r"25.00000 25.00000 re f", content)
    assert len(squares) == 35


def test_pdf_points_at_its_own_objects() -> None:
    content = pdf(BOARDS["dots"], place(BOARDS["dots"], "a4"))
    start = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
    assert content[start:].startswith(b"xref")
    for number, line in enumerate(content[start:].splitlines()[3:8], start=1):
        assert content[int(line.split()[0]) :].startswith(b"%d 0 obj" % number)


def test_png_says_its_resolution_and_keeps_it() -> None:
    board = BOARDS["dots"]
    content = png(board, place(board, "a4"), 150)
    at = content.index(b"pHYs") + 4
    across, down, unit = struct.unpack(">IIB", content[at : at + 9])
    assert (across, down, unit) == (5906, 5906, 1)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    found = find_board(np.asarray(decoded, np.uint8), board, "print")
    assert found is not None
    apart_px = np.linalg.norm(found.pixels[1] - found.pixels[0])
    assert apart_px / 150 * 25.4 == pytest.approx(40.0, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": 2}, "3 to 200 columns"),
        ({"feature_mm": 29.0}, "too little white"),
        ({"feature_mm": 0.0}, "between 0 and 30"),
        ({"pitch_mm": 0.0}, "pitch_mm must be above 0"),
        ({"dictionary": "9x9"}, "dictionary must be one of"),
        ({"columns": 14, "rows": 10}, "need 70 markers"),
    ],
)
def test_board_that_cannot_be_found_is_refused(changes: dict[str, object], words: str) -> None:
    fields = {"kind": Kind.CHARUCO, "columns": 8, "rows": 6, "pitch_mm": 30.0, "feature_mm": 22.0}
    with pytest.raises(ValueError, match=words):
        Board(**(fields | {"dictionary": "5x5_50"} | changes))  # type: ignore[arg-type]


def test_boards_that_look_the_same_upside_down_are_known() -> None:
    ambiguous = {name for name, board in BOARDS.items() if board.half_turn_ambiguous}
    assert ambiguous == {"circles"}
    assert Board(Kind.CHEQUERBOARD, 8, 6, 25).half_turn_ambiguous
    assert Board(Kind.DOTS, 4, 10, 20, 14).half_turn_ambiguous


@pytest.mark.parametrize("kind", ["charuco", "chequerboard", "circles", "dots"])
def test_command_writes_a_board_that_can_be_loaded(kind: str, tmp_path: Path) -> None:
    calib("board", "--out", tmp_path, "--kind", kind, "--dpi", 100)
    board = Board.load(tmp_path / "board.json")
    assert board.kind.value == kind
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF-1.4")
    assert len(shapes(board)) > 20


def test_board_larger_than_the_page_is_refused(tmp_path: Path) -> None:
    words = refused("board", "--out", tmp_path, "--pitch-mm", 40, "--feature-mm", 30)
    assert "does not fit on a4" in words
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="cannot be written"):
        write_board(BOARDS["dots"], tmp_path / "file" / "x", "a4", 72)
