"""Board and robot in one wrong unit agree with each other: the camera is then a thousandth off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.kits.calib_kit import rows, shot, usual
from voxgate.calib.board.board import Board
from voxgate.calib.gates import HANDEYE, gates
from voxgate.calib.handeye.choice import choose
from voxgate.calib.handeye.handeye import HandEye, Options, Shot, calibrate_handeye
from voxgate.calib.handeye.outliers import Expected, OutlierPose
from voxgate.calib.handeye.scale import lengths, measured_scale, scale_of, scaled
from voxgate.calib.lens.lens import Lens
from voxgate.calib.numerics.lengths import in_another_unit
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.robot_poses.pose_forms import PoseForm
from voxgate.calib.steps.handeye_step import handeye_figures
from voxgate.runtime.errors import CalibrationError

pytestmark = pytest.mark.slow

UR = PoseForm("rotvec", degrees=False, unit="m")


def shrunk(data: Shot, times: float) -> Shot:
    """The same pictures of a board whose description is so many times smaller."""
    seen = data.sightings
    return Shot(
        replace(seen, points_mm=seen.points_mm * times), scaled(data.seen, times), data.flanges
    )


@pytest.mark.parametrize(
    ("pitch", "words"), [(0.03, "30 if 0.03 is in m"), (0.0011, "1.1 if"), (3000, "3 if 3000")]
)
def test_board_described_in_metres_is_refused(pitch: float, words: str, tmp_path: Path) -> None:
    fields = {"schema_version": 1, "unit": "mm", "kind": "chequerboard", "columns": 9, "rows": 8}
    (tmp_path / "board.json").write_text(json.dumps(fields | {"pitch_mm": pitch}))
    with pytest.raises(CalibrationError, match=words):
        Board.load(tmp_path / "board.json")


@pytest.mark.parametrize(
    ("times", "unit"),
    # the second is of a cell a third larger
    [(0.1, "cm"), (0.13, "cm"), (1 / 25.4, "inches"), (0.001, "in m")],
)
def test_cell_that_is_all_in_another_unit_misses_a_limit_and_is_told_which(
    times: float, unit: str
) -> None:
    data = shrunk(shot(0), times)
    data = replace(data, flanges=scaled(data.flanges, times))
    found = solved(data, usual(0).lens)
    missed = {gate.name for gate in gates(handeye_figures(found, np.zeros(3)), HANDEYE)
              if not gate.ok}  # fmt: skip
    assert missed & {"distance_min_mm", "reach_min_mm"}
    words = in_another_unit(lengths(data.flanges, data.seen))
    assert words is not None
    assert unit in words


@pytest.mark.parametrize(("times", "unit"), [(0.1, "cm"), (1 / 25.4, "inches")])
@pytest.mark.parametrize("asked", [(UR,), (PoseForm("rotvec", degrees=False),)])
def test_right_poses_are_not_called_wrong_when_the_boards_unit_is(
    times: float, unit: str, asked: tuple[PoseForm, ...]
) -> None:
    data = shrunk(shot(0), times)
    table = rows(data.flanges, asked[0])
    with pytest.raises(CalibrationError, match=f"its description is in {unit}"):
        choose(table, asked, True, data.seen, data.sightings.points_mm)


def test_board_and_poses_that_differ_by_no_unit_are_told_by_how_much() -> None:
    data = shrunk(shot(0), 0.5)
    table = rows(data.flanges, UR)
    with pytest.raises(CalibrationError, match="its pitch is 2 times larger"):
        choose(table, (UR,), True, data.seen, data.sightings.points_mm)


@pytest.mark.parametrize("eye_in_hand", [True, False])
def test_scale_between_robot_and_board_is_measured(eye_in_hand: bool) -> None:
    data = shot(0, eye_in_hand=eye_in_hand)
    mounts = data.flanges if eye_in_hand else inverse(data.flanges)
    assert scale_of(mounts, data.seen) == pytest.approx(1, abs=0.002)
    assert scale_of(scaled(mounts, 0.95), data.seen) == pytest.approx(1 / 0.95, abs=0.002)


def test_pitch_that_was_measured_two_percent_wrong_misses_a_limit() -> None:
    found = solved(shrunk(shot(0), 1.02), usual(0).lens)
    assert handeye_figures(found, np.zeros(3))["scale_off_percent"] == pytest.approx(2, abs=0.2)


def test_scale_is_as_sure_as_is_claimed() -> None:
    data = shot(0)
    found = measured_scale(scaled(data.flanges, 0.99), data.seen)
    assert abs(found.times - 1 / 0.99) < 4 * found.sigma
    assert found.sigma < 0.001


def solved(data: Shot, lens: Lens) -> HandEye:
    return calibrate_handeye(data, lens, Options(), _unexplained)


def _unexplained(view: int, expected: Expected) -> OutlierPose:
    return OutlierPose(str(view), 0.0, 0.0, "")
