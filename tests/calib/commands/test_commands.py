"""From pictures in a folder to a calibration that the box loads, or a refusal that helps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.kits.calib_kit import calib, off, refused, write_pictures, write_poses
from voxgate.benchmarks.calibration.calib_cell import CalibCell, make_cell
from voxgate.calib.calibration_file import CalibrationFile
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import motion
from voxgate.calib.robot_poses.pose_forms import ROBOTS, PoseForm

pytestmark = pytest.mark.slow

VIEWS = 14
KUKA = PoseForm("zyx")


@pytest.fixture(scope="module")
def cell() -> CalibCell:
    return make_cell(5, VIEWS)


@pytest.fixture(scope="module")
def folder(cell: CalibCell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, poses as a KUKA shows them, board.json and a lens calibration."""
    made = write_pictures(tmp_path_factory.mktemp("cell") / "cell", cell)
    write_poses(made / "poses.csv", cell.reported, KUKA)
    calib(
        "intrinsics", made / "images", "--board", made / "board.json", "--out", made / "lens.json"
    )
    return made


def handeye(folder: Path, out: Path, *words: object, poses: str = "poses.csv") -> list[object]:
    return [
        "handeye", folder / "images", folder / poses, "--board", folder / "board.json",
        "--out", out, *words,
    ]  # fmt: skip


@pytest.mark.nightly  # by day the lens itself: tests/calib/lens
def test_lens_is_written_with_its_proof(folder: Path, cell: CalibCell) -> None:
    found = CalibrationFile.load(folder / "lens.json")
    assert np.abs(found.lens().values[:2] / cell.lens.values[:2] - 1).max() < 0.002
    covariance = found.lens_covariance()
    assert covariance is not None
    assert (np.abs(found.lens().values - cell.lens.values) < 5 * np.sqrt(np.diag(covariance))).all()
    step = found.data["steps"]["intrinsics"]
    assert step["forced"] is False
    assert step["missed"] == []
    assert len(step["inputs"]["pictures_sha256"]) == 64
    assert step["figures"]["views"] == VIEWS


def test_report_is_one_file_with_its_pictures(folder: Path) -> None:
    page = (folder / "lens-intrinsics.html").read_text()
    assert "ACCEPTED" in page
    assert page.count("<svg") >= 5
    assert "http" not in page.replace("http://www.w3.org", "")
    for words in ("Coverage", "Residuals", "Distortion", "rms_at_part_max_mm"):
        assert words in page


def test_camera_is_found_from_pictures_and_poses(
    folder: Path, cell: CalibCell, tmp_path: Path
) -> None:
    out = tmp_path / "calibration.json"
    summary = calib(*handeye(folder, out, "--calibration", folder / "lens.json", "--refine-lens"))
    assert summary["accepted"]
    assert "zyx in degrees" in summary["remarks"][0]
    found = CalibrationFile.load(out)
    wrong_mm, wrong_deg = off(found.transform("T_flange_cam", "handeye"), cell.x)
    assert wrong_mm < 0.3
    assert wrong_deg < 0.06
    assert set(found.data["steps"]) == {"intrinsics", "handeye"}
    assert "digest" not in found.data  # the part is still missing
    assert "Poses left out" in (tmp_path / "calibration-handeye.html").read_text()


@pytest.mark.nightly  # by day: handeye/test_scale.py
def test_robot_whose_lengths_are_off_is_told_by_how_much(
    folder: Path, cell: CalibCell, tmp_path: Path
) -> None:
    poses = cell.reported.copy()
    poses[:, :3, 3] *= 0.994
    write_poses(folder / "short.csv", poses, KUKA)
    words = handeye(folder, tmp_path / "c.json", "--robot", "kuka", poses="short.csv")
    with_lens = [*words, "--calibration", folder / "lens.json", "--force"]
    assert "times 1.006" in " ".join(calib(*with_lens)["remarks"])
    found = calib(*with_lens, "--robot-scale")
    assert found["figures"]["scale_off_percent"] == pytest.approx(0.6, abs=0.05)
    x = CalibrationFile.load(tmp_path / "c.json").transform("T_flange_cam", "handeye")
    assert off(x, cell.x)[0] < 0.5


def test_wrong_guess_of_the_robot_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "calibration.json"
    assert "--rotation zyx" in refused(*handeye(folder, out, "--robot", "fanuc"))
    assert not list(tmp_path.iterdir())


@pytest.mark.nightly  # by day: robot_poses/test_robot_poses.py
def test_mixed_up_rows_are_named(folder: Path, cell: CalibCell, tmp_path: Path) -> None:
    poses = cell.reported.copy()
    poses[[2, 9]] = poses[[9, 2]]
    write_poses(folder / "mixed.csv", poses, KUKA)
    out = tmp_path / "calibration.json"
    words = " ".join(calib(*handeye(folder, out, "--robot", "kuka", poses="mixed.csv"))["remarks"])
    assert "02.png: off by" in words
    assert "its row and that of 09.png are exchanged" in words


def test_missed_limit_leaves_no_file_and_exits_1(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "calibration.json"
    words = handeye(folder, out, "--limit", "position_rms_max_mm=0.001", "--robot", "kuka")
    summary = calib(*words, code=1)
    assert not summary["accepted"]
    assert "position_rms_max_mm" in summary["missed"][0]
    assert not out.exists()
    assert "REJECTED" in (tmp_path / "calibration-handeye.html").read_text()


@pytest.mark.nightly
def test_force_writes_it_and_says_so(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "calibration.json"
    words = handeye(folder, out, "--limit", "position_rms_max_mm=0.001", "--robot", "kuka")
    calib(*words, "--force")
    step = json.loads(out.read_text())["steps"]["handeye"]
    assert step["forced"] is True
    assert "position_rms_max_mm" in step["missed"][0]


@pytest.mark.nightly  # by day, the pose that is asked for: tests/calib/handeye/test_at_part.py
def test_too_few_turns_ask_for_the_next_pose(folder: Path, cell: CalibCell, tmp_path: Path) -> None:
    """The flange slides and turns about one axis while the pictures say the same."""
    base = cell.reported[0]
    turned = [base @ motion(np.array([0, 0, 0.15 * v, 0, 0, 0.0])) for v in range(VIEWS)]
    moved = CalibCell(
        cell.lens, cell.x, cell.z, np.array(turned), _seen(cell, np.array(turned)), True, cell.board
    )
    made = write_pictures(tmp_path / "turned", moved)
    write_poses(made / "poses.csv", moved.reported, ROBOTS["ur"])
    words = refused(
        *handeye(made, tmp_path / "x.json", "--robot", "ur", "--calibration", folder / "lens.json")
    )
    assert "deg about a second" in words
    assert "next pose: turn the flange by 25 deg about (+" in words


def _seen(cell: CalibCell, flanges: Array) -> Array:
    return np.array([np.linalg.inv(flange @ cell.x) @ cell.z for flange in flanges])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["intrinsics", "nowhere", "--board", "{}/board.json"], "no such folder of pictures"),
        (["intrinsics", "{}/images", "--board", "{}/nothing.json"], "voxgate calib board"),
        (["intrinsics", "{}/images", "--board", "{}/poses.csv"], "not JSON"),
        (["intrinsics", "{}", "--board", "{}/board.json"], "no pictures here"),
        (
            ["intrinsics", "{}/images", "--board", "{}/board.json", "--limit", "rms=1"],
            "write NAME=VALUE",
        ),
        (
            ["handeye", "{}/images", "{}/nothing.csv", "--board", "{}/board.json"],
            "robot poses stand in a table",
        ),
        (
            [
                *("handeye", "{}/images", "{}/poses.csv", "--board", "{}/board.json"),
                *("--calibration", "{}/none.json"),
            ],
            "voxgate calib intrinsics",
        ),
    ],
)
def test_wrong_input_is_one_line(folder: Path, words: list[str], message: str) -> None:
    assert message in refused(*[word.format(folder) for word in words], "--out", folder / "x.json")
    assert not (folder / "x.json").exists()


@pytest.mark.nightly  # by day: board/test_detect.py
def test_another_board_is_said_to_be_one(folder: Path, tmp_path: Path) -> None:
    calib("board", "--out", tmp_path, "--kind", "dots", "--dpi", 72)
    words = refused("intrinsics", folder / "images", "--board", tmp_path / "board.json")
    assert "the board is on none of the 14 pictures" in words


def test_recipe_of_fine_voxels_asks_for_a_finer_lens(
    folder: Path, small_recipe: Path, tmp_path: Path
) -> None:
    manifest = json.loads((small_recipe / "manifest.json").read_text())
    manifest["grid"]["voxel_mm"] = 0.02
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    words = ("intrinsics", folder / "images", "--board", folder / "board.json")
    out = ("--out", tmp_path / "lens.json")
    missed = calib(*words, *out, "--recipe", tmp_path, code=1)["missed"]
    assert any("at_part_max_mm" in each for each in missed)
    assert "leave --voxel-mm out" in refused(*words, "--recipe", tmp_path, "--voxel-mm", "2")
