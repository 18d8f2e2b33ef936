"""The board is on no picture: does it differ from its description in a way that has a name?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from voxgate.calib.board.board import DICTIONARIES, MARKED, Board, Kind
from voxgate.calib.board.detect import Grey, find_board

LOOKED_AT = 3  # pictures
LEAST_MARKERS = 4
MIRRORED = (
    "the pictures are mirrored: switch off the camera's flip (ReverseX, ReverseY), or take them "
    "again as the box will get them"
)


def why_blank(pictures: Sequence[Grey], board: Board) -> str | None:
    """What to change, in words; None where nothing that is known explains it."""
    for picture in pictures[:LOOKED_AT]:
        for words, tried, other in _guesses(picture, board):
            if find_board(tried, other, "") is not None:
                return words
        other_markers = _other_markers(picture, board) if board.kind is Kind.CHARUCO else None
        if other_markers is not None:
            return other_markers
    return None


def _guesses(picture: Grey, board: Board) -> Iterator[tuple[str, Grey, Board]]:
    if board.kind is Kind.CHARUCO:
        legacy = replace(board, legacy=not board.legacy)
        said = "true" if legacy.legacy else "false"
        pattern = "the pattern of OpenCV before 4.6" if legacy.legacy else "OpenCV's newer pattern"
        yield f'it is {pattern}: write "legacy": {said} into the description', picture, legacy
    if board.kind in MARKED:  # others look the same in a mirror
        yield MIRRORED, np.ascontiguousarray(picture[:, ::-1]), board
    if board.columns != board.rows:
        turned = replace(board, columns=board.rows, rows=board.columns)
        words = f"its columns and rows are exchanged: it has {turned.columns} x {turned.rows}"
        yield words, picture, turned
    if board.squares:
        yield from _more_squares(picture, board)


def _more_squares(picture: Grey, board: Board) -> Iterator[tuple[str, Grey, Board]]:
    try:
        more = replace(board, columns=board.columns + 1, rows=board.rows + 1)
    except ValueError:
        return  # so many markers no dictionary has
    words = "columns and rows count squares, not the corners between them"
    yield f"{words}: it has {more.columns} x {more.rows}", picture, more


def _other_markers(picture: Grey, board: Board) -> str | None:
    """The dictionary of most markers in the picture, if it is another."""
    found = {
        name: _markers(picture, number)
        for name, number in DICTIONARIES.items()
        if not name.endswith(("_50", "_100", "_250"))
    }
    name = max(found, key=lambda each: found[each])
    if (
        found[name] < LEAST_MARKERS
        or name.rpartition("_")[0] == board.dictionary.rpartition("_")[0]
    ):
        return None
    return f"its markers are of {name}, the description says {board.dictionary}"


def _markers(picture: Grey, number: int) -> int:
    dictionary = cv2.aruco.getPredefinedDictionary(number)
    _, numbers, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(picture)
    return 0 if numbers is None else len(numbers)
