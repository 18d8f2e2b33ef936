"""Everything black on a board, as rectangles and discs in mm of the board frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.calib.board.board import DICTIONARIES, Board, Kind

TAG_BORDER = 2  # bits of black around a tag, as Kalibr prints them


@dataclass(frozen=True, slots=True)
class Shape:
    """A black rectangle, or a disc of the diameter `width` whose box it is; board frame, mm."""

    x: float
    y: float
    width: float
    height: float
    disc: bool = False


def shapes(board: Board) -> list[Shape]:
    """Everything black on the board."""
    if board.kind is Kind.CHARUCO:
        return [*_squares(board), *_markers(board)]
    if board.kind is Kind.CHEQUERBOARD:
        return list(_squares(board))
    if board.kind is Kind.APRILGRID:
        return [*_tags(board), *_joints(board)]
    half = board.feature_mm / 2
    return [
        Shape(x - half, y - half, board.feature_mm, board.feature_mm, disc=True)
        for x, y, _ in board.points_mm.tolist()
    ]


def extent_mm(board: Board) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the pattern in the board frame."""
    if board.squares:
        return 0.0, 0.0, board.columns * board.pitch_mm, board.rows * board.pitch_mm
    if board.kind is Kind.APRILGRID:
        gap = board.pitch_mm - board.feature_mm
        return -gap, -gap, board.columns * board.pitch_mm, board.rows * board.pitch_mm
    half = board.feature_mm / 2
    x, y, _ = board.points_mm.max(axis=0).tolist()
    return -half, -half, x + half, y + half


def _squares(board: Board) -> Iterator[Shape]:
    # before OpenCV 4.6 a ChArUco board with an even number of rows began with a marker
    first = 1 if board.legacy and board.rows % 2 == 0 else 0
    side = board.pitch_mm
    for row in range(board.rows):
        for column in range(board.columns):
            if (row + column) % 2 == first:
                yield Shape(column * side, row * side, side, side)


def _markers(board: Board) -> Iterator[Shape]:
    charuco = board.charuco()
    dictionary = charuco.getDictionary()
    cells = int(dictionary.markerSize) + 2
    cell = board.feature_mm / cells
    for number, corners in zip(
        np.asarray(charuco.getIds()).ravel(), charuco.getObjPoints(), strict=True
    ):
        left, top = (float(value) for value in np.asarray(corners)[0][:2])
        bits = np.asarray(cv2.aruco.generateImageMarker(dictionary, int(number), cells))
        for row, line in enumerate(bits):
            for start, end in _runs(line == 0):
                yield Shape(left + start * cell, top + row * cell, (end - start) * cell, cell)


def _tags(board: Board) -> Iterator[Shape]:
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[board.dictionary])
    cells = int(dictionary.markerSize) + 2 * TAG_BORDER
    cell = board.feature_mm / cells
    for number, corner in enumerate(board.points_mm[3::4].tolist()):
        bits = cv2.aruco.generateImageMarker(dictionary, number, cells, borderBits=TAG_BORDER)
        for row, line in enumerate(np.asarray(bits)):
            for start, end in _runs(line == 0):
                left, top = corner[0] + start * cell, corner[1] + row * cell
                yield Shape(left, top, (end - start) * cell, cell)


def _joints(board: Board) -> Iterator[Shape]:
    """Black squares that touch the tags' corners: every corner is then one of four fields."""
    gap = board.pitch_mm - board.feature_mm
    for row in range(board.rows + 1):
        for column in range(board.columns + 1):
            yield Shape(column * board.pitch_mm - gap, row * board.pitch_mm - gap, gap, gap)


def _runs(black: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], black.astype(int), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
