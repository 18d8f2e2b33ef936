"""Poses of SiM3D's sensor, depth of its camera, and what lies between them said wrongly."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.kits import scene
from voxgate.export.evaluation.layouts.sim3d_sensor import camera_from_sensor, check_places
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, invert


def _beside(turn_deg: float, shift_mm: float) -> Transform:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("y", turn_deg, degrees=True).as_matrix()
    pose[0, 3] = shift_mm
    return pose


def _in_m(pose: Transform) -> Transform:
    return np.vstack([np.hstack([pose[:3, :3], pose[:3, 3:] / 1000]), pose[3:]])


BESIDE = _beside(20.0, -200.0)


@cache
def _looks() -> tuple[View, ...]:
    return tuple(scene.look(scene.camera(azimuth)) for azimuth in (0.0, 60.0, 120.0, 180.0))


def _check(tmp_path: Path, true: Transform, told: dict[str, object]) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(told))
    read = true @ invert(camera_from_sensor(path))  # as the reader places them
    views = [replace(v, part_from_camera=v.part_from_camera @ read) for v in _looks()]
    check_places(path, views, scene.rays())


@pytest.mark.parametrize("true", [BESIDE, _beside(0.0, 0.0)])
def test_a_sensor_that_is_told_rightly_is_refused(tmp_path: Path, true: Transform) -> None:
    _check(tmp_path, true, {"T_pc": true.tolist()})


@pytest.mark.parametrize(
    ("true", "told", "said"),
    [
        (BESIDE, {"T_pc": invert(BESIDE).tolist()}, "T_pc must be camera_from_sensor and is the"),
        (BESIDE, {"T_pc": _in_m(BESIDE).tolist()}, "T_pc must be in mm and is in m"),
        (_beside(0.0, 0.0), {"T_pc": BESIDE.tolist()}, "T_pc is not needed"),
        (BESIDE, {}, "no T_pc is told"),
        (BESIDE, {"T_pc": _beside(-10.0, 40.0).tolist()}, "are of another rig"),
        (BESIDE, {"R_pc": BESIDE[:3, :3].tolist()}, "T_pc must be camera_from_sensor, 4 x 4"),
    ],
)
def test_a_sensor_that_is_told_wrongly_becomes_a_scan(
    tmp_path: Path, true: Transform, told: dict[str, object], said: str
) -> None:
    with pytest.raises(ScanError, match=said):
        _check(tmp_path, true, told)
