"""A minute before the solve is cheaper than a day of looking for why it was refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.kits.calib_kit import calib, write_pictures, write_poses
from voxgate.benchmarks.calibration.calib_cell import CalibCell, make_cell
from voxgate.calib.robot_poses.pose_forms import PoseForm
from voxgate.runtime.nouns import GreyImage

pytestmark = pytest.mark.slow

KUKA = PoseForm("zyx")


@pytest.fixture(scope="module")
def cell() -> CalibCell:
    return make_cell(5, 10)


@pytest.fixture(scope="module")
def rendered(cell: CalibCell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("rendered") / "cell", cell)


@pytest.fixture
def folder(rendered: Path, cell: CalibCell, tmp_path: Path) -> Path:
    made = Path(shutil.copytree(rendered, tmp_path / "cell"))
    write_poses(made / "poses.csv", cell.reported, KUKA)
    return made


def words(found: dict[str, Any]) -> str:
    return "\n".join(f"{each['of']}: {each['words']}" for each in found["findings"])


def test_good_pictures_and_poses_have_nothing_wrong(folder: Path) -> None:
    found = calib("check", folder)
    assert found["accepted"]
    assert found["looked_at"] == ["10 pictures, the board on 10", "10 poses of 6 numbers"]


def test_each_fault_is_named_with_its_picture(folder: Path) -> None:
    images = folder / "images"
    spoil: dict[str, Callable[[GreyImage], GreyImage]] = {
        "01.png": lambda grey: np.asarray(cv2.GaussianBlur(grey, (0, 0), 4), np.uint8),
        "02.png": lambda grey: (grey * 0.12).astype(np.uint8),
        "03.png": lambda grey: np.clip(grey * 3.0, 0, 255).astype(np.uint8),
        "04.png": lambda grey: np.full_like(grey, 120),
    }
    for name, change in spoil.items():
        grey = cv2.imread(str(images / name), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        cv2.imwrite(str(images / name), change(np.asarray(grey, np.uint8)))
    (images / "05.png").write_bytes((images / "06.png").read_bytes())
    (images / "07.png").write_bytes(b"no picture")
    said = words(calib("check", folder, code=1))
    expected = [
        "01.png: blurred",
        "02.png: too dark",
        "03.png: 37% of it is burnt out",
        "04.png: the board is not found",
        "06.png: shows what 05.png shows",
        "07.png: not a picture",
    ]
    for line in expected:
        assert line in said, said


def test_rows_that_slipped_are_told_before_any_solve(folder: Path, cell: CalibCell) -> None:
    write_poses(folder / "poses.csv", np.roll(cell.reported, 1, axis=0), KUKA)
    assert "rows and pictures are 1 apart" in words(calib("check", folder, code=1))


def test_board_in_another_unit_is_told_before_any_solve(folder: Path, cell: CalibCell) -> None:
    half = replace(cell.board, pitch_mm=9.0, feature_mm=6.75)
    (folder / "board.json").write_text(half.to_json())
    assert "times as far as the pictures say" in words(calib("check", folder, code=1))


@pytest.mark.nightly
def test_poses_in_centimetres_are_told_before_any_solve(folder: Path, cell: CalibCell) -> None:
    centimetres = replace(cell.board, pitch_mm=1.8, feature_mm=1.35)
    (folder / "board.json").write_text(centimetres.to_json())
    poses = cell.reported.copy()
    poses[:, :3, 3] /= 10
    write_poses(folder / "poses.csv", poses, KUKA)
    assert "if they are in cm" in words(calib("check", folder, code=1))


def test_missing_poses_and_turns_are_told(folder: Path, cell: CalibCell) -> None:
    write_poses(folder / "few.csv", cell.reported[:7], KUKA)
    said = words(calib("check", folder, "--poses", folder / "few.csv", code=1))
    assert "7 poses, 8 are needed" in said
    assert "10 pictures but 7 poses" in said
