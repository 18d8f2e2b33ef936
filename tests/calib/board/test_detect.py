"""Points that are numbered wrongly or lie beside the truth become a wrong camera."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from voxgate.benchmarks.calibration.calib_cell import Camera, lens
from voxgate.calib.board.board import Board, Kind
from voxgate.calib.board.detect import find_board
from voxgate.calib.numerics.least_squares import Array
from voxgate.runtime.nouns import GreyImage
from voxgate.runtime.transforms import apply

BOARDS = {
    "charuco": Board(Kind.CHARUCO, 14, 10, 18, 13.5, "5x5_100"),
    "chequerboard": Board(Kind.CHEQUERBOARD, 10, 7, 25),
    "dots": Board(Kind.DOTS, 4, 11, 20, 14),
    "circles": Board(Kind.CIRCLES, 10, 7, 25, 12),
}


@cache
def camera(name: str) -> Camera:
    return Camera(lens(), BOARDS[name])


def pose(name: str, roll_deg: float, tilt_deg: float, distance_mm: float = 560.0) -> Array:
    """camera_from_board: the board's middle on the optical axis."""
    found = np.eye(4)
    turn = Rotation.from_euler("ZX", [roll_deg, tilt_deg], degrees=True)
    found[:3, :3] = turn.as_matrix()
    found[:3, 3] = [0, 0, distance_mm] - found[:3, :3] @ BOARDS[name].points_mm.mean(axis=0)
    return found


def picture(name: str, at: Array) -> GreyImage:
    return camera(name).render(at, seed=1)


@pytest.mark.parametrize("tilt_deg", [0.0, 35.0])
@pytest.mark.parametrize("roll_deg", [0.0, 100.0, 180.0])
@pytest.mark.parametrize("name", ["charuco", "chequerboard", "dots"])
def test_points_keep_their_numbers_when_the_board_is_turned(
    name: str, roll_deg: float, tilt_deg: float
) -> None:
    at = pose(name, roll_deg, tilt_deg)
    found = find_board(picture(name, at), BOARDS[name], "x")
    if found is None and name == "chequerboard":
        pytest.fail("the whole board is in the picture")
    assert found is not None
    error = found.pixels - lens().project(apply(at, found.points_mm))
    assert np.abs(error).max() < 0.5  # numbered wrongly it would be a square's side
    assert np.sqrt((error**2).mean()) < 0.12


def test_circles_are_found_where_they_are() -> None:
    at = pose("circles", 0.0, 20.0)
    found = find_board(picture("circles", at), BOARDS["circles"], "x")
    assert found is not None
    truth = lens().project(apply(at, BOARDS["circles"].points_mm))
    nearest = np.linalg.norm(found.pixels[:, None] - truth[None], axis=2).min(axis=1)
    assert nearest.max() < 0.3


def test_charuco_is_found_when_half_of_it_is_outside() -> None:
    at = pose("charuco", 20.0, 20.0)
    at[0, 3] += 150
    found = find_board(picture("charuco", at), BOARDS["charuco"], "x")
    assert found is not None
    assert 20 < len(found.pixels) < 90


@pytest.mark.parametrize("name", BOARDS)
def test_no_board_is_found_in_an_empty_room(name: str) -> None:
    noise = np.random.default_rng(0).integers(100, 140, (600, 800), dtype=np.uint8)
    assert find_board(noise, BOARDS[name], "x") is None


def test_another_board_is_not_taken_for_this_one() -> None:
    seen = picture("charuco", pose("charuco", 0.0, 0.0))
    assert find_board(seen, BOARDS["dots"], "x") is None
