"""A 3D sensor beside the camera: its own pixels, lens and place, as calibration.json holds it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.strict_json import Fields
from voxgate.runtime.geometry.lens import BROWN, distortion_of, model_of, placing_of
from voxgate.runtime.geometry.pinhole import MAX_SIDE_PX, camera_matrix_of, transform_of
from voxgate.runtime.geometry.region import Region, region_of
from voxgate.runtime.transforms import Transform

KEYS = frozenset(
    (
        *("image_size", "K", "distortion", "lens_model", "depth_unit_mm", "T_cam_sensor"),
        *("frame_readout_s", "serial_number", "region"),
    )
)
MAX_READOUT_S = 10.0
POSE = "T_cam_sensor"


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """camera_matrix (3, 3) and distortion float64 px, of the lens_model (see lens.py); depth is in
    the sensor's own frame. readout_ns: end of exposure to depth complete; None: as the camera's.
    serial_number: of the very device; None: not told.
    """

    width_px: int
    height_px: int
    camera_matrix: npt.NDArray[np.float64]
    distortion: npt.NDArray[np.float64]
    camera_from_sensor: Transform
    lens_model: str = BROWN
    readout_ns: int | None = None
    serial_number: str | None = None
    region: Region = field(default_factory=Region)

    @property
    def placing(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Every number that places one of its pixels on the camera's flange."""
        size = np.array([self.width_px, self.height_px], np.float64)
        lens = (self.camera_matrix, self.distortion, *placing_of(self.lens_model))
        return size, *lens, self.camera_from_sensor


def sensor_of(fields: Fields) -> Sensor | None:
    """Of a calibration; None where depth is on the camera's pixels.

    T_cam_sensor stands in `sensor`, or beside it as `voxgate calib sensor` writes it. Raises
    ValueError with the key.
    """
    if not fields.has("sensor"):
        _refuse_lonely(fields)
        return None
    own = fields.object_at("sensor")
    unknown = sorted(set(own.values) - KEYS)
    if unknown:
        raise ValueError(f"{own.inside}{unknown[0]} is not served: a sensor has {sorted(KEYS)}")
    if own.has(POSE) == fields.has(POSE):
        raise ValueError(f"{POSE} must stand once, in `sensor` or beside it")
    size, model = own.object_at("image_size"), model_of(own)
    width_px = size.integer("width", 1, MAX_SIDE_PX)
    height_px = size.integer("height", 1, MAX_SIDE_PX)
    return Sensor(
        width_px,
        height_px,
        camera_matrix_of(own, width_px, height_px),
        distortion_of(own, model),
        transform_of(own if own.has(POSE) else fields, POSE),
        model,
        _readout_ns(own),
        own.text("serial_number") if own.has("serial_number") else None,
        region_of(own),
    )


def _readout_ns(own: Fields) -> int | None:
    if not own.has("frame_readout_s"):
        return None
    return round(own.number("frame_readout_s", 0.0, MAX_READOUT_S) * 1e9)


def _refuse_lonely(fields: Fields) -> None:
    if fields.has(POSE):
        raise ValueError(
            f"{POSE} says that depth comes from a sensor beside the camera, and its pixels are not "
            "told: add `sensor` with image_size, K, distortion and depth_unit_mm; or take the line "
            "out where depth is aligned with the picture"
        )
