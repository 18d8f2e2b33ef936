"""The camera's side: frames as recorded, stamped on the camera's clock, pushed to the box."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt
import zmq

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.pixels.picture import decode_picture, is_colour
from voxgate.runtime.scans.scan import FrameRecord, Scan
from voxgate.sim.field.faults import Target
from voxgate.sim.field.timeline import sensed_frames

QUEUED_FRAMES = 16
RGB = "RGB8"


class Encoding(str, Enum):
    """How pixels travel: as a camera delivers them, or as the scan keeps them."""

    RAW = "raw"
    COMPRESSED = "jpeg+png"


@dataclass(frozen=True, slots=True)
class Picture:
    """One recorded frame, ready to send: everything of the message but id and stamp."""

    header: dict[str, object]
    image: bytes
    depth: bytes | None

    @property
    def in_colour(self) -> bool:
        """Whether its pixels are red, green and blue."""
        return self.header["pixel_format"] == RGB

    def before_lens(self, size: tuple[int, int], colour: bool) -> npt.NDArray[np.uint8]:
        """Its raw pixels as a camera of this size (h, w) sees them, grey or (h, w, 3); black for a
        sensor's, which has none."""
        channels = 3 if self.in_colour else 1
        blank = bytes(size[0] * size[1] * channels)
        pixels = np.frombuffer(self.image or blank, np.uint8).reshape(*size, channels)
        if colour:
            return np.repeat(pixels, 3 // channels, axis=2)
        return grey_and_colour(pixels)[0] if self.in_colour else pixels[..., 0]


def pictures_from_scan(scan: Scan, encoding: Encoding) -> tuple[Picture, ...]:
    """Every frame of the camera, decoded ahead of time so that playing it is precise.

    Raises ScanError when an image cannot be read.
    """
    with_depth = scan.calibration.sensor is None
    return tuple(_picture(record, scan.calibration, encoding, with_depth) for record in scan.frames)


def sensor_pictures_from_scan(scan: Scan, encoding: Encoding) -> tuple[Picture, ...]:
    """Every frame of the sensor beside the camera, without a picture; none where there is none."""
    if scan.calibration.sensor is None:
        return ()
    return tuple(
        _picture(replace(record, image=None), scan.calibration.of_depth, encoding)
        for record in sensed_frames(scan)
    )


def _picture(
    record: FrameRecord, calibration: Calibration, encoding: Encoding, with_depth: bool = True
) -> Picture:
    image = b"" if record.image is None else record.image.read_bytes()
    colour = bool(image) and is_colour(image)
    depth = record.depth.read_bytes() if record.depth is not None and with_depth else None
    if encoding is Encoding.RAW:
        if image:
            size = calibration.width_px, calibration.height_px
            image = _picture_in(image, *size, f"{record.image}").tobytes()
        if depth is not None:
            depth = _pixels(depth, cv2.IMREAD_UNCHANGED, f"{record.depth}")
    header: dict[str, object] = {
        "exposure_ns": record.exposure_ns,
        "width": calibration.width_px,
        "height": calibration.height_px,
        "pixel_format": RGB if colour else "Mono8",
        "depth": None if depth is None else "Coord3D_C16",
        "encoding": encoding.value,
    }
    if depth is not None:
        header |= {
            "depth_scale_mm": calibration.depth_unit_mm,
            "depth_offset_mm": 0.0,
            "depth_invalid": 0.0,
        }
    return Picture(header, image, depth)


def _picture_in(content: bytes, width_px: int, height_px: int, where: str) -> npt.NDArray[np.uint8]:
    try:
        return decode_picture(content, width_px, height_px)
    except ValueError as error:
        raise ScanError(f"{where}: {error}; record the scan again") from error


def _pixels(content: bytes, mode: int, where: str) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), mode)
    if pixels is None:
        raise ScanError(f"{where}: not an image; record the scan again")
    return pixels.tobytes()


class CameraSender:
    """PUSH to the box; what the box does not take at once is lost, as on a real link."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, camera: str) -> None:
        self._camera = camera
        self._socket = context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, QUEUED_FRAMES)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits for a box that is not there
        self._socket.connect(endpoint)
        self.lost = 0

    def send(
        self, picture: Picture, frame_id: int, t_device_ns: int, corrupt: Target | None = None
    ) -> None:
        """One frame; `corrupt` cuts its image or depth in half on the way."""
        header = {
            "camera": self._camera,
            "frame_id": frame_id,
            "t_device_ns": t_device_ns,
            **picture.header,
        }
        parts = [json.dumps(header).encode(), _cut(picture.image, corrupt is Target.IMAGE)]
        if picture.depth is not None:
            parts.append(_cut(picture.depth, corrupt is Target.DEPTH))
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
        except zmq.Again:
            self.lost += 1

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()


def _cut(content: bytes, half: bool) -> bytes:
    return content[: len(content) // 2] if half else content
