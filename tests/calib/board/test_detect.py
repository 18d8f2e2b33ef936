"""Points that are numbered wrongly or lie beside the truth become a wrong camera."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.kits.calib_kit import BOARDS, pose
from voxgate.benchmarks.calibration.calib_cell import Camera, lens
from voxgate.calib.board.detect import find_board
from voxgate.calib.numerics.least_squares import Array
from voxgate.runtime.nouns import GreyImage
from voxgate.runtime.transforms import apply

pytestmark = pytest.mark.slow


@cache
def camera(name: str) -> Camera:
    return Camera(lens(), BOARDS[name])


def picture(name: str, at: Array) -> GreyImage:
    return camera(name).render(at, seed=1)


@pytest.mark.parametrize("tilt_deg", [pytest.param(0.0, marks=pytest.mark.nightly), 35.0])
@pytest.mark.parametrize(
    "roll_deg",
    [
        pytest.param(0.0, marks=pytest.mark.nightly),
        100.0,
        pytest.param(180.0, marks=pytest.mark.nightly),
    ],
)
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
    noise = np.random.default_rng(0).integers(100, 140, (300, 400), dtype=np.uint8)
    assert find_board(noise, BOARDS[name], "x") is None


def test_another_board_is_not_taken_for_this_one() -> None:
    seen = picture("charuco", pose("charuco", 0.0, 0.0))
    assert find_board(seen, BOARDS["dots"], "x") is None
