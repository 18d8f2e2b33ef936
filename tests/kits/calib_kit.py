"""What the calibration tests share: a cell, its pictures in a folder, the command line."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, CalibCell, Camera, Noise, make_cell
from voxgate.calib.board.board import Board, Kind
from voxgate.calib.handeye.handeye import Shot
from voxgate.calib.lens.intrinsics import Intrinsics, calibrate_lens
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, twist_of
from voxgate.calib.robot_poses.pose_forms import PoseForm, to_numbers
from voxgate.runtime.cli import app
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.transforms import Transform, from_position_quaternion

BOARDS = {
    "charuco": Board(Kind.CHARUCO, 14, 10, 18, 13.5, "5x5_100"),
    "chequerboard": Board(Kind.CHEQUERBOARD, 10, 7, 25),
    "dots": Board(Kind.DOTS, 4, 11, 20, 14),
    "circles": Board(Kind.CIRCLES, 10, 7, 25, 12),
}


@cache
def usual(seed: int = 0, views: int = 25, eye_in_hand: bool = True) -> CalibCell:
    """A cell of 25 poses with usual noise."""
    return make_cell(seed, views, eye_in_hand=eye_in_hand)


@cache
def lens_found(seed: int = 0, views: int = 25, eye_in_hand: bool = True) -> Intrinsics:
    """The lens from projected corners with 0.1 px noise; every view is used."""
    seen, _ = usual(seed, views, eye_in_hand).see(Noise(), seed)
    found = calibrate_lens(seen, SIZE_PX)
    assert not found.bad
    return found


def shot(seed: int = 0, views: int = 25, eye_in_hand: bool = True) -> Shot:
    """The data of a hand-eye calibration of that cell."""
    _, reported = usual(seed, views, eye_in_hand).see(Noise(), seed)
    found = lens_found(seed, views, eye_in_hand)
    return Shot(found.sightings, found.poses, reported.copy())


def rows(poses: Array, form: PoseForm) -> Array:
    """Robot poses as the numbers of a form."""
    return np.array([to_numbers(pose, form) for pose in poses])


def off(found: Transform, truth: Transform) -> tuple[float, float]:
    """By how much a transform is wrong: mm and deg."""
    twist = twist_of(inverse(found[None])[0] @ truth)
    return float(np.linalg.norm(twist[3:])), float(np.degrees(np.linalg.norm(twist[:3])))


def write_pictures(folder: Path, cell: CalibCell) -> Path:
    """Rendered pictures and board.json; returns the folder."""
    (folder / "images").mkdir(parents=True)
    camera = Camera(cell.lens, cell.board)
    for view, pose in enumerate(cell.camera_from_board):
        cv2.imwrite(str(folder / "images" / f"{view:02d}.png"), camera.render(pose, view))
    (folder / "board.json").write_text(cell.board.to_json())
    return folder


def write_poses(path: Path, poses: Array, form: PoseForm) -> Path:
    """A table without names."""
    lines = [",".join(f"{value:.6f}" for value in row) for row in rows(poses, form)]
    path.write_text("\n".join(lines) + "\n")
    return path


def calib(*words: object, code: int = 0) -> dict[str, Any]:
    """Run `voxgate calib ... --json`; its object. Exit code must be `code`."""
    result = CliRunner().invoke(app, ["calib", *map(str, words), "--json"])
    assert result.exit_code == code, result.output + str(result.exception)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refused(*words: object) -> str:
    """The one line with which the command refuses its input."""
    result = CliRunner().invoke(app, ["calib", *map(str, words)])
    assert isinstance(result.exception, VoxGateError), result.output
    return str(result.exception)


def bump(scan: Path, out: Path, moved: Transform) -> Path:
    """The scan of a camera that was knocked on the flange before it: the robot reports as if not.

    True pose = reported @ X @ moved, so the reported poses are taken back by X moved^-1 X^-1.
    """
    shutil.copytree(scan, out)
    x = Calibration.load(scan.parent / "calibration.json").mounting.camera
    back = x @ inverse(moved[None])[0] @ inverse(x[None])[0]
    lines = []
    for line in (scan / "robot_poses.jsonl").read_text().splitlines():
        row = json.loads(line)
        flange = from_position_quaternion(row["p"], row["q"]) @ back
        row["p"], row["q"] = flange[:3, 3].tolist(), _wxyz(flange)
        lines.append(json.dumps(row))
    (out / "robot_poses.jsonl").write_text("\n".join(lines) + "\n")
    shutil.copy(scan.parent / "calibration.json", out)
    return out


def _wxyz(pose: Transform) -> list[float]:
    return np.roll(Rotation.from_matrix(pose[:3, :3]).as_quat(), 1).tolist()  # type: ignore[no-any-return]


def pose(name: str, roll_deg: float, tilt_deg: float, distance_mm: float = 560.0) -> Array:
    """camera_from_board: the board's middle on the optical axis."""
    found = np.eye(4)
    turn = Rotation.from_euler("ZX", [roll_deg, tilt_deg], degrees=True)
    found[:3, :3] = turn.as_matrix()
    found[:3, 3] = [0, 0, distance_mm] - found[:3, :3] @ BOARDS[name].points_mm.mean(axis=0)
    return found
