"""A published camera as a calibration: no robot, the pose of each view is the camera's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.export.evaluation.layouts.files import json_object
from voxgate.runtime.errors import CalibrationError, ScanError
from voxgate.runtime.geometry.calibration import Calibration

DEPTH_UNIT_MM = 0.05
TICK_HZ = 1_000_000_000


def calibration_from(path: Path, part: str) -> Calibration:
    """From a file with image_size, K and distortion. Raises ScanError."""
    fields = json_object(path)
    try:
        size = fields["image_size"]
        return Calibration.from_text(
            calibration_text(
                part, int(size["width"]), int(size["height"]), fields["K"], fields["distortion"]
            )
        )
    except (KeyError, TypeError, ValueError, CalibrationError) as error:
        raise ScanError(f"{path}: needs image_size, K and distortion ({error})") from error


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
