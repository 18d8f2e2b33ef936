"""A published camera as a calibration: no robot, the pose of each view is the camera's own."""

from __future__ import annotations

from pathlib import Path

from voxgate.export.evaluation.layouts.files import json_object
from voxgate.runtime.errors import CalibrationError, ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.scenes.camera_alone import calibration_text


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
