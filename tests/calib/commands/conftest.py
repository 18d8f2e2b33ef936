"""The commands of calibration: the same pictures, read by one test after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voxgate.calib.board import board_pictures
from voxgate.calib.board.board import Board
from voxgate.calib.board.detect import Grey, find_board
from voxgate.calib.board.sightings import Sighting
from voxgate.calib.steps import check_step


@pytest.fixture(scope="package", autouse=True)
def _board_is_looked_for_once_in_a_picture() -> Iterator[None]:
    """The commands read the same pictures again and again, and what they do then is asked here."""
    found: dict[tuple[bytes, Board, str], Sighting | None] = {}

    def remembered(image: Grey, board: Board, name: str) -> Sighting | None:
        key = (image.tobytes(), board, name)
        if key not in found:
            found[key] = find_board(image, board, name)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        for reader in (board_pictures, check_step):
            patch.setattr(reader, "find_board", remembered)
        yield
