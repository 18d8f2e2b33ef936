"""The camera of a scene as a calibration: no robot, the pose of each view is the camera's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import View
from voxgate.runtime.scenes.scene import Scene

DEPTH_UNIT_MM = 0.05
TICK_HZ = 1_000_000_000
PART = "tray"
"""What a scene shows, where nobody names it."""


def calibration_text(
    part: str, width_px: int, height_px: int, camera_matrix: Any, distortion: Sequence[float]
) -> str:
    """calibration.json of a camera that moves alone: flange and camera are one."""
    eye = np.eye(4).tolist()
    return json.dumps(
        {
            "part": part,
            "units": {"length": "mm", "time": "s", "depth_unit_mm": DEPTH_UNIT_MM},
            "image_size": {"width": width_px, "height": height_px},
            "K": np.asarray(camera_matrix).tolist(),
            "distortion": list(distortion),
            "T_flange_cam": eye,
            "T_base_part": eye,
            "timing": {"camera_tick_hz": TICK_HZ, "frame_readout_s": 0.0},
        },
        indent=2,
    )


def scene_calibration_text(scene: Scene, part: str = PART) -> str:
    """Of a scene's camera."""
    height, width = scene.views[0].image.shape
    return calibration_text(part, width, height, scene.camera_matrix, scene.distortion)


def scene_calibration(scene: Scene, part: str = PART) -> Calibration:
    """The same, read. Raises CalibrationError."""
    return Calibration.from_text(scene_calibration_text(scene, part))


def views_of(scene: Scene) -> Iterator[View]:
    """As a line would have placed them; the world is the part's frame."""
    for view in scene.views:
        yield View(
            view.number,
            view.image,
            view.world_from_camera,
            0.0,
            view.depth_mm,
            colour=view.colour,
        )
