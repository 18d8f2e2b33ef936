"""The calibration of one cell and part: camera model, hand-eye, fixture, units, planned views.

Read once, validated completely, then only numbers. Frames: `base` robot, `flange`, `camera`
(OpenCV axes: x right, y down, z forward; pixel (0, 0) is the centre of the top-left pixel),
`part` (z up). Distortion is OpenCV's [k1, k2, p1, p2, k3].
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.strict_json import Fields, parse_object
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.lens import BROWN, distortion_of, model_of, placing_of
from voxgate.runtime.geometry.mounting import Mounting, mounting_of
from voxgate.runtime.geometry.pinhole import MAX_SIDE_PX, camera_matrix_of, transform_of
from voxgate.runtime.geometry.region import Region, region_of
from voxgate.runtime.geometry.sensor import Sensor, sensor_of
from voxgate.runtime.geometry.served import check_served
from voxgate.runtime.transforms import Transform

MAX_BYTES = 1 << 20  # a calibration is some kilobytes; a megabyte is another file
MAX_VIEWS = 1000
MAX_TICK_HZ = 100_000_000_000
MAX_READOUT_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Where a pixel looks and where the camera sits, for one part in one cell.

    camera_matrix (3, 3) and distortion float64 px, of the lens_model (see lens.py); mounting: on
    the robot, or beside it (see mounting.py); planned:
    nominal part_from_camera per view, may be empty; readout_ns: end of exposure to frame complete,
    without the network; digest: sha256 of every number that places a pixel in the part's frame, and
    of the serial numbers.
    forced: steps of the calibration that missed a limit and were written all the same. sensor: a 3D
    sensor beside the camera, whose depth depth_unit_mm is of; None where depth is on the camera's
    pixels. serial_number: of the very camera; None: not told. region: what it reads out.
    """

    part: str
    width_px: int
    height_px: int
    camera_matrix: npt.NDArray[np.float64]
    distortion: npt.NDArray[np.float64]
    mounting: Mounting
    depth_unit_mm: float
    camera_tick_hz: int
    readout_ns: int
    planned: tuple[Transform, ...]
    digest: str
    forced: tuple[str, ...] = ()
    sensor: Sensor | None = None
    lens_model: str = BROWN
    serial_number: str | None = None
    region: Region = field(default_factory=Region)

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read and check `calibration.json`. Raises CalibrationError with file, key and value."""
        try:
            return _from_fields(parse_object(_text(path)))
        except ValueError as error:
            raise CalibrationError(f"{path}: {error}") from error

    @classmethod
    def from_text(cls, text: str) -> Calibration:
        """Check a calibration that is not a file yet. Raises CalibrationError with the key."""
        try:
            return _from_fields(parse_object(text))
        except ValueError as error:
            raise CalibrationError(f"calibration: {error}") from error

    def part_from_camera(self, base_from_flange: Transform) -> Transform:
        """The camera in the part's frame when the flange is at `base_from_flange`."""
        return self.mounting.part_from_camera(base_from_flange)

    @property
    def of_depth(self) -> Calibration:
        """Of the device that measures depth, as if it were the camera; itself where it is."""
        if self.sensor is None:
            return self
        sensor = self.sensor
        return replace(
            self,
            width_px=sensor.width_px,
            height_px=sensor.height_px,
            camera_matrix=sensor.camera_matrix,
            distortion=sensor.distortion,
            lens_model=sensor.lens_model,
            serial_number=sensor.serial_number,
            region=sensor.region,
            mounting=self.mounting.of_sensor(sensor.camera_from_sensor),
            planned=(),
            sensor=None,
            readout_ns=self.readout_ns if sensor.readout_ns is None else sensor.readout_ns,
        )

    def reduced(self, block_px: int) -> Calibration:
        """Of pictures in which a block of block_px x block_px pixels is one (pixels.reduce)."""
        if block_px == 1:
            return self
        camera_matrix = self.camera_matrix.copy()
        camera_matrix[:2] /= block_px
        # pixel (0, 0) is the centre of a larger pixel now
        camera_matrix[:2, 2] -= 0.5 - 0.5 / block_px
        size = self.width_px // block_px, self.height_px // block_px
        return replace(self, width_px=size[0], height_px=size[1], camera_matrix=camera_matrix)

    def ns_from_ticks(self, ticks: int) -> int:
        """Camera ticks in ns on the camera's clock, rounded half up, exact at any size."""
        return (2 * ticks * 1_000_000_000 + self.camera_tick_hz) // (2 * self.camera_tick_hz)


def digest_of(calibrations: Mapping[str, Calibration]) -> str:
    """Of a cell's: the only camera's, or that of all of them, in the order of their names."""
    if len(calibrations) == 1:
        return next(iter(calibrations.values())).digest
    told = sorted((name, known.digest) for name, known in calibrations.items())
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise CalibrationError(
            f"{path}: no such file; a scan needs the calibration.json of its cell and part"
        ) from error
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes, so not a calibration")
    return content.decode("utf-8")  # a UnicodeDecodeError is a ValueError


def _from_fields(fields: Fields) -> Calibration:
    check_served(fields)
    size = fields.object_at("image_size")
    timing = fields.object_at("timing")
    width_px = size.integer("width", 1, MAX_SIDE_PX)
    height_px = size.integer("height", 1, MAX_SIDE_PX)
    camera_matrix = camera_matrix_of(fields, width_px, height_px)
    lens_model = model_of(fields)
    distortion = distortion_of(fields, lens_model)
    mounting = mounting_of(fields)
    sensor = sensor_of(fields)
    depth_unit_mm = _depth_unit_mm(fields)
    placing = (
        np.array([width_px, height_px, depth_unit_mm]),
        camera_matrix,
        distortion,
        *mounting.placing,
        *placing_of(lens_model),
        *(() if sensor is None else sensor.placing),
    )
    serial_number = fields.text("serial_number") if fields.has("serial_number") else None
    of_sensor = None if sensor is None else sensor.serial_number
    serials = {"camera": serial_number, "sensor": of_sensor}
    digest = _digest(placing, serials)
    _check_digest(fields, digest)
    return Calibration(
        part=fields.text("part"),
        width_px=width_px,
        height_px=height_px,
        camera_matrix=camera_matrix,
        distortion=distortion,
        mounting=mounting,
        depth_unit_mm=depth_unit_mm,
        camera_tick_hz=timing.integer("camera_tick_hz", 1, MAX_TICK_HZ),
        readout_ns=round(timing.number("frame_readout_s", 0.0, MAX_READOUT_S) * 1e9),
        planned=_planned(fields),
        digest=digest,
        forced=_forced(fields),
        sensor=sensor,
        lens_model=lens_model,
        serial_number=serial_number,
        region=region_of(fields),
    )


def _depth_unit_mm(fields: Fields) -> float:
    """Depth belongs to the device that measures it. 0 would turn every depth into "no return"."""
    units = fields.object_at("units")
    if fields.has("sensor") and units.has("depth_unit_mm"):
        raise ValueError("units.depth_unit_mm beside a sensor: depth is in sensor.depth_unit_mm")
    holder = fields.object_at("sensor") if fields.has("sensor") else units
    return holder.number("depth_unit_mm", 1e-6, 1e3)


def _check_digest(fields: Fields, digest: str) -> None:
    """A file that `voxgate calib` wrote says its own digest: numbers edited since show."""
    if fields.has("digest") and fields.text("digest") != digest:
        raise ValueError(
            "digest does not belong to these numbers: the file was edited after it was made; "
            "calibrate again, or take the line out if you answer for the numbers"
        )


def _forced(fields: Fields) -> tuple[str, ...]:
    if not fields.has("steps"):
        return ()
    steps = fields.object_at("steps")
    return tuple(name for name in steps.values if steps.object_at(name).values.get("forced"))


def _planned(fields: Fields) -> tuple[Transform, ...]:
    if not fields.has("views"):
        return ()
    views = fields.objects("views", MAX_VIEWS)
    for index, view in enumerate(views):
        if view.integer("view", 0, MAX_VIEWS) != index:
            raise ValueError(f"views[{index}].view must be {index}: views stand in order")
    return tuple(transform_of(view, "T_part_cam_nominal") for view in views)


def _digest(placing: tuple[npt.NDArray[np.float64], ...], serials: Mapping[str, str | None]) -> str:
    digest = hashlib.sha256(b"voxgate calibration 1")
    for numbers in placing:
        # adding 0 turns -0.0 into 0.0: equal numbers must have equal bytes
        digest.update((numbers.astype(">f8") + 0.0).astype(">f8").tobytes())
    for device, serial in serials.items():
        if serial is not None:
            digest.update(f"\0{device} {serial}".encode())
    return digest.hexdigest()
