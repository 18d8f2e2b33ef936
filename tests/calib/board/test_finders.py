"""A board that a person sees at once is found, and what is not the board is not taken for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.kits.calib_kit import BOARDS, lens_found, pose, refused, rows, shot
from voxgate.benchmarks.calibration.calib_cell import Camera, lens
from voxgate.calib.board.board import DICTIONARIES, Board, Kind
from voxgate.calib.board.chequerboard import leaves_out, usual_crossing
from voxgate.calib.board.detect import find_board
from voxgate.calib.board.partly_seen import find_part
from voxgate.calib.board.why_blank import why_blank
from voxgate.calib.handeye.choice import choose
from voxgate.calib.handeye.half_turns import half_turn, settle_half_turns
from voxgate.calib.robot_poses.pose_forms import PoseForm
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.nouns import GreyImage
from voxgate.runtime.transforms import apply

pytestmark = pytest.mark.slow

CHEQUERED = BOARDS["chequerboard"]


def render(board: Board, at: np.typing.NDArray[np.float64]) -> GreyImage:
    return Camera(lens(), board).render(at, 1)


def on_black(grey: GreyImage, board: Board, at: np.typing.NDArray[np.float64]) -> GreyImage:
    """The squares alone, without a margin, before a surround that is darker than their ink."""
    low, high = np.zeros(3), np.array([board.columns, board.rows, 0.0]) * board.pitch_mm
    corners = np.array([[low[0], low[1], 0], [high[0], low[1], 0], high, [low[0], high[1], 0]])
    outline = lens().project(apply(at, corners))
    inside = cv2.fillConvexPoly(np.zeros_like(grey), np.rint(outline).astype(np.int32), 255)
    return np.where(inside > 0, grey // 2 + 20, 4).astype(np.uint8)


@pytest.mark.parametrize("roll_deg", [0.0, 50.0])
def test_chequerboard_on_a_dark_surround_is_found(roll_deg: float) -> None:
    at = pose("chequerboard", roll_deg, 25.0)
    found = find_board(on_black(render(CHEQUERED, at), CHEQUERED, at), CHEQUERED, "x")
    assert found is not None
    off = found.pixels - lens().project(apply(at, found.points_mm))
    assert np.abs(off).max() < 0.6


@pytest.mark.parametrize(
    ("columns", "count"),
    [(8, 7), (10, 6), (9, 6)],
)
@pytest.mark.nightly  # by day, a hand over the board
def test_part_of_a_larger_board_is_not_taken_for_a_smaller_one(columns: int, count: int) -> None:
    picture = render(CHEQUERED, pose("chequerboard", 0.0, 10.0))
    assert find_board(picture, Board(Kind.CHEQUERBOARD, columns, count, 25), "x") is None


@pytest.mark.parametrize("every", [2, 3])
def test_every_other_row_of_a_board_is_not_taken_for_a_smaller_one(every: int) -> None:
    at = pose("chequerboard", 30.0, 20.0)
    picture = render(CHEQUERED, at)
    corners = lens().project(apply(at, CHEQUERED.points_mm)).reshape(6, 9, 2)
    usual = usual_crossing(picture, corners)
    assert not any(leaves_out(picture, corners, axis, usual) for axis in (0, 1))
    assert leaves_out(picture, corners[::every], 0, usual)
    assert leaves_out(picture, corners[:, ::every], 1, usual)


@pytest.mark.parametrize(
    ("roll_deg", "x_mm", "y_mm", "count"),
    [
        pytest.param(0.0, 150.0, 0.0, 35, marks=pytest.mark.nightly),
        pytest.param(270.0, 0.0, 100.0, 36, marks=pytest.mark.nightly),
        pytest.param(200.0, 150.0, 0.0, 34, marks=pytest.mark.nightly),
    ],
)
def test_chequerboard_that_the_picture_cuts_off_keeps_its_numbers(
    roll_deg: float, x_mm: float, y_mm: float, count: int
) -> None:
    at = pose("chequerboard", roll_deg, 20.0)
    at[:2, 3] += x_mm, y_mm
    found = find_board(render(CHEQUERED, at), CHEQUERED, "x")
    assert found is not None
    assert len(found.pixels) == count
    assert np.abs(found.pixels - lens().project(apply(at, found.points_mm))).max() < 0.6


@pytest.mark.parametrize(
    ("roll_deg", "x_mm", "y_mm", "count"),
    [
        pytest.param(229.0, 120.0, -60.0, 43, marks=pytest.mark.nightly),
        (141.0, -90.0, 60.0, 46),
        pytest.param(41.0, 130.0, 60.0, 25, marks=pytest.mark.nightly),
    ],
)
def test_chequerboard_that_is_cut_at_an_angle_keeps_its_numbers(
    roll_deg: float, x_mm: float, y_mm: float, count: int
) -> None:
    at = pose("chequerboard", roll_deg, 25.0)
    at[:2, 3] += x_mm, y_mm
    found = find_board(render(CHEQUERED, at), CHEQUERED, "x")
    assert found is not None
    assert count <= len(found.pixels) < 54
    assert np.abs(found.pixels - lens().project(apply(at, found.points_mm))).max() < 0.6


@pytest.mark.nightly
def test_no_cut_at_any_angle_exchanges_numbers() -> None:
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(60):
        at = pose("chequerboard", generator.uniform(0, 360), generator.uniform(0, 35))
        at[:2, 3] += generator.uniform([-150, -110], [150, 110])
        part = find_part(render(CHEQUERED, at), CHEQUERED.grid)
        if part is not None:
            numbers, pixels = part
            there = lens().project(apply(at, CHEQUERED.points_mm[numbers]))
            assert np.abs(pixels - there).max() < 0.6
            found += 1
    assert found > 45


@pytest.mark.parametrize("roll_deg", [90.0, pytest.param(0.0, marks=pytest.mark.nightly)])
def test_square_chequerboard_is_not_numbered_a_quarter_turn_off(roll_deg: float) -> None:
    board = Board(Kind.CHEQUERBOARD, 8, 8, 25)
    at = pose("chequerboard", roll_deg, 15.0)
    found = find_board(render(board, at), board, "x")
    assert found is not None
    either = [found.points_mm, apply(half_turn(board.points_mm), found.points_mm)]
    off = [np.abs(found.pixels - lens().project(apply(at, points))).max() for points in either]
    assert min(off) < 0.6


@pytest.mark.parametrize("hidden", [0.45, pytest.param(0.7, marks=pytest.mark.nightly)])
def test_hand_over_a_chequerboard_is_not_taken_for_its_end(hidden: float) -> None:
    picture = render(CHEQUERED, pose("chequerboard", 0.0, 10.0))
    picture[:, : int(hidden * picture.shape[1])] = 90
    assert find_board(picture, CHEQUERED, "x") is None


@pytest.mark.parametrize(
    "name", [name for name in DICTIONARIES if name.startswith(("a", "7x7_1000", "4x4_100"))]
)
def test_every_dictionary_is_found(name: str) -> None:
    board = Board(Kind.CHARUCO, 7, 5, 30, 22, name)
    found = find_board(render(board, pose("charuco", 20.0, 20.0)), board, "x")
    assert found is not None
    assert len(found.pixels) == 24


@pytest.mark.parametrize("roll_deg", [0.0, 130.0])
def test_aprilgrid_is_found_by_its_numbers_also_cut_off(roll_deg: float) -> None:
    board = Board(Kind.APRILGRID, 6, 6, 28, 22, "apriltag_36h11")
    at = pose("charuco", roll_deg, 20.0)
    middle = BOARDS["charuco"].points_mm.mean(axis=0) - board.points_mm.mean(axis=0)
    at[:3, 3] += at[:3, :3] @ middle
    at[0, 3] += 60
    found = find_board(render(board, at), board, "x")
    assert found is not None
    off = found.pixels - lens().project(apply(at, found.points_mm))
    assert 40 < len(found.pixels) <= 144
    assert np.sqrt((off**2).mean()) < 0.25


CHARUCO = Board(Kind.CHARUCO, 8, 6, 30, 22, "5x5_100")
WRONG = {
    '"legacy": true': (replace(CHARUCO, legacy=True), CHARUCO),
    '"legacy": false': (CHARUCO, replace(CHARUCO, legacy=True)),
    "it has 8 x 6": (CHARUCO, replace(CHARUCO, columns=6, rows=8)),
    "markers are of 6x6": (replace(CHARUCO, dictionary="6x6_250"), CHARUCO),
    "it has 10 x 7": (CHEQUERED, replace(CHEQUERED, columns=9, rows=6)),
}


SLOW = ("markers are of 6x6", "it has 10 x 7")


@pytest.mark.parametrize(
    "words",
    [pytest.param(each, marks=pytest.mark.nightly if each in SLOW else []) for each in WRONG],
)
def test_board_that_is_described_wrongly_is_told_how(words: str) -> None:
    real, said = WRONG[words]
    picture = render(real, pose("charuco", 10.0, 15.0))
    assert find_board(picture, said, "x") is None
    assert words in str(why_blank([picture], said))


@pytest.mark.parametrize("asked", [pytest.param((), marks=pytest.mark.nightly), (PoseForm("wpr"),)])
@pytest.mark.parametrize("eye_in_hand", [True, False])
def test_mirrored_chequerboard_is_told_by_the_robots_ways(
    asked: tuple[PoseForm, ...], eye_in_hand: bool
) -> None:
    data = shot(0, eye_in_hand=eye_in_hand)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    numbers = rows(data.flanges, PoseForm("wpr"))
    with pytest.raises(CalibrationError, match="mirrored"):
        choose(numbers, asked, eye_in_hand, flip @ data.seen @ flip, data.sightings.points_mm)


@pytest.mark.nightly  # by day of chequerboards, above
def test_mirrored_pictures_are_called_so(tmp_path: Path) -> None:
    for number in range(5):
        picture = render(CHARUCO, pose("charuco", 30.0 * number, 15.0))
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture[:, ::-1])
    (tmp_path / "board.json").write_text(CHARUCO.to_json())
    words = refused("intrinsics", tmp_path, "--board", tmp_path / "board.json")
    assert "the pictures are mirrored" in words


@pytest.mark.parametrize("asked", [(), (PoseForm("wpr"),)])
@pytest.mark.parametrize("eye_in_hand", [True, False])
def test_robots_turns_tell_which_way_up_an_even_board_was(
    asked: tuple[PoseForm, ...], eye_in_hand: bool
) -> None:
    data = shot(0, eye_in_hand=eye_in_hand)
    seen = lens_found(0, eye_in_hand=eye_in_hand).sightings
    turn = half_turn(seen.points_mm)
    over = np.random.default_rng(3).random(len(data.seen)) < 0.4
    points = seen.points_mm.copy()
    own = over[seen.view]
    points[own] = apply(turn, points[own])
    spoilt = np.where(over[:, None, None], data.seen @ turn, data.seen)
    numbers = rows(data.flanges, PoseForm("wpr"))
    found, poses, count = settle_half_turns(replace(seen, points_mm=points), spoilt, numbers, asked)
    assert count == over.sum()
    assert poses == pytest.approx(data.seen, abs=1e-9)
    assert found.points_mm == pytest.approx(seen.points_mm, abs=1e-9)
