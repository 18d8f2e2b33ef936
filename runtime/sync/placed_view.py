"""A frame and its place become a view: of the camera, and of the sensor beside it."""

from __future__ import annotations

import numpy as np

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.sensor import Sensor
from voxgate.runtime.nouns import Frame, View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.transforms import Transform


def unlike(frame: Frame, calibration: Calibration) -> str | None:
    """What of a frame is not what the calibration is for; None when all is."""
    expected = (calibration.height_px, calibration.width_px)
    if frame.image.shape[:2] != expected:
        return f"image is {frame.image.shape}, the calibration for {expected}"
    if calibration.sensor is None:
        aligned = frame.sensed_mm is None
        return (
            None if aligned else "depth is of a sensor beside the camera, the calibration of none"
        )
    if frame.depth_mm is not None:
        return "depth is on the picture's pixels, the calibration is for a sensor beside the camera"
    of_depth = (calibration.sensor.height_px, calibration.sensor.width_px)
    if frame.sensed_mm is not None and frame.sensed_mm.shape != of_depth:
        return f"depth is {frame.sensed_mm.shape}, the calibration's sensor {of_depth}"
    return None


def view_of(
    frame: Frame, part_from_camera: Transform, uncertainty_mm: float, calibration: Calibration
) -> View:
    """Camera and sensor exposed together: one place on the flange for both."""
    image, colour = grey_and_colour(frame.image)
    return View(
        frame_id=frame.frame_id,
        image=image,
        colour=colour,
        part_from_camera=part_from_camera,
        uncertainty_mm=uncertainty_mm,
        depth_mm=frame.depth_mm,
        sensed=_sensed(frame, part_from_camera, uncertainty_mm, calibration.sensor),
    )


def _sensed(
    frame: Frame, part_from_camera: Transform, uncertainty_mm: float, sensor: Sensor | None
) -> View | None:
    if sensor is None or frame.sensed_mm is None:
        return None
    blank = np.zeros(frame.sensed_mm.shape, np.uint8)
    pose = part_from_camera @ sensor.camera_from_sensor
    return View(frame.frame_id, blank, pose, uncertainty_mm, frame.sensed_mm)
