"""Twelve poses of one robot, as the numbers that controllers and libraries show of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.kits.calib_kit import shot
from voxgate.calib.handeye.choice import choose, says
from voxgate.calib.handeye.reading import poses_as
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.robot_poses.pose_file import read_poses
from voxgate.calib.robot_poses.pose_forms import flanges, forms_for

DATA = shot(0, views=12)
POSES = DATA.flanges


def quaternions(order: str) -> Array:
    xyzw = Rotation.from_matrix(POSES[:, :3, :3]).as_quat()
    return np.asarray(xyzw if order == "xyzw" else np.roll(xyzw, 1, axis=1))


def euler(order: str) -> Array:
    return np.asarray(Rotation.from_matrix(POSES[:, :3, :3]).as_euler(order, degrees=True))


def lines(table: Array, separator: str = ",", places: int = 6) -> str:
    return "\n".join(separator.join(f"{v:.{places}f}" for v in row) for row in table) + "\n"


def numbered(form: str, rows: Array) -> str:
    return "".join(form.format(i, *row) for i, row in enumerate(rows, start=1))


MM = POSES[:, :3, 3]
ROTVEC = Rotation.from_matrix(POSES[:, :3, :3]).as_rotvec()
KUKA = np.column_stack([MM, euler("ZYX")])
WPR = np.column_stack([MM, euler("xyz")])
WXYZ = np.column_stack([MM, quaternions("wxyz")])
XYZW = np.column_stack([MM, quaternions("xyzw")])
UR = np.column_stack([MM / 1000, ROTVEC])
TURNS = POSES[:, :3, :3]
CM = np.array([0.1] * 3 + [1.0] * 3)
METRES = np.array([1000.0] * 3 + [1.0] * 4)


def assert_read(path: Path) -> None:
    """Right among all forms, asked of the pictures as the command asks them."""
    table = read_poses(path)
    found = choose(table.numbers, (), True, DATA.seen, DATA.sightings.points_mm, table.said)
    assert flanges(table.numbers, found.form) == pytest.approx(POSES, abs=0.02)


def assert_readable(path: Path) -> None:
    """Right in one of the forms that the file allows; which one the pictures tell elsewhere."""
    table = read_poses(path)
    forms = [form for form in forms_for(table.numbers.shape[1]) if says(table.said, form)]
    read = [poses_as(table.numbers, form) for form in forms]
    assert any(each is not None and np.allclose(each, POSES, atol=0.02) for each in read)
