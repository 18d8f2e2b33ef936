"""The boxes of `scene`, taken by a camera and by a 3D sensor 96 mm beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from tests.kits import scene
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.scans.posed_scan import write_scan
from voxgate.runtime.scenes.camera_alone import DEPTH_UNIT_MM, calibration_text
from voxgate.runtime.transforms import Transform

BASELINE_MM, TURN_DEG = 96.0, 12.0
SENSOR_PX = (300, 220)
FOCAL_PX = 420.0
POSES = tuple(scene.camera(azimuth) for azimuth in range(0, 360, 45))


def camera_from_sensor() -> Transform:
    """To the camera's left, turned towards what it looks at."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("y", TURN_DEG, degrees=True).as_matrix()
    pose[:3, 3] = (-BASELINE_MM, 4.0, 8.0)
    return pose


def document() -> dict[str, Any]:
    """calibration.json of the rig."""
    matrix = np.array([[480.0, 0, 161.0], [0, 481.0, 119.0], [0, 0, 1]])
    found: dict[str, Any] = json.loads(
        calibration_text("boxes", 320, 240, matrix, (-0.12, 0.09, 0.0005, -0.0004, -0.02))
    )
    del found["units"]["depth_unit_mm"]
    width_px, height_px = SENSOR_PX
    middle = (width_px / 2 + 3.0, height_px / 2 - 2.0)
    found["sensor"] = {
        "image_size": {"width": width_px, "height": height_px},
        "K": [[FOCAL_PX, 0, middle[0]], [0, FOCAL_PX, middle[1]], [0, 0, 1]],
        "distortion": [-0.06, 0.04, 0.0002, 0.0003, -0.008],
        "depth_unit_mm": DEPTH_UNIT_MM,
        "T_cam_sensor": camera_from_sensor().tolist(),
    }
    return found


@cache
def calibration() -> Calibration:
    """The rig's."""
    return calibration_of(document())


def calibration_of(document: dict[str, Any]) -> Calibration:
    """As if it were read from a file."""
    return Calibration.from_text(json.dumps(document))


@cache
def rays() -> Rays:
    """The camera's, and the sensor's."""
    return Rays.from_calibration(calibration())


def look(
    part_from_camera: Transform,
    boxes: tuple[scene.Box, ...] = scene.PART,
    part_from_instance: Transform | None = None,
    seed: int = 0,
    bumped: Transform | None = None,
    sensor_bumped: Transform | None = None,
) -> View:
    """One viewpoint: the camera's picture, the sensor's depth, each from its own place.

    bumped, sensor_bumped: where it sits, from where it was when it was calibrated.
    """
    truly = part_from_camera if bumped is None else part_from_camera @ bumped
    taken = scene.look(truly, boxes, part_from_instance, seed=seed, through=rays())
    part_from_sensor = part_from_camera @ camera_from_sensor()
    there = part_from_sensor if sensor_bumped is None else part_from_sensor @ sensor_bumped
    sensed = scene.look(there, boxes, part_from_instance, seed=seed + 500, through=rays().shape)
    blank = replace(
        sensed,
        image=np.zeros(sensed.image.shape, np.uint8),
        part_from_camera=part_from_sensor,
    )
    return replace(taken, part_from_camera=part_from_camera, depth_mm=None, sensed=blank)


def ring(
    boxes: tuple[scene.Box, ...] = scene.PART,
    part_from_instance: Transform | None = None,
    seed: int = 0,
    bumped: Transform | None = None,
) -> list[View]:
    """Every viewpoint."""
    return [look(pose, boxes, part_from_instance, seed + n, bumped) for n, pose in enumerate(POSES)]


def write(folder: Path, views: list[View]) -> Path:
    """A scan's folder with its calibration."""
    write_scan(folder, views, json.dumps(document()))
    return folder
