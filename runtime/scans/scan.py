"""A recorded scan: frames and robot poses; pixels are decoded when asked."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import DepthMap, Device, Frame, Note, Pose
from voxgate.runtime.nouns import Picture as Pixels
from voxgate.runtime.pixels.picture import decode_depth, decode_picture
from voxgate.runtime.sync.synchronizer import ONLY, SyncState
from voxgate.runtime.volume.grid import GridSpec

MAX_PICTURE_BYTES = 64 << 20
MAX_FRAME_ID = (1 << 63) - 1

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A picture inside another file. floats: raw little-endian float32 mm, else a JPEG or PNG."""

    name: str
    content: bytes
    floats: bool = False

    def read_bytes(self) -> bytes:
        """As a file's."""
        return self.content

    def __str__(self) -> str:
        return self.name


Picture = Path | Stored


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One line of frames.jsonl, or of sensor_frames.jsonl. `view` is the recorder's remark; the
    view plan decides. image: None of a sensor that fires apart from the camera. camera: of several,
    which; of a sensor, the camera that it sits beside."""

    frame_id: int
    view: int | None
    t_device_ns: int  # start of exposure, the device's clock
    t_arrival_ns: int  # frame complete, host clock
    exposure_ns: int
    image: Picture | None
    depth: Picture | None
    camera: str = ""

    @property
    def device(self) -> Device:
        """Which exposed."""
        return Device.SENSOR if self.image is None else Device.CAMERA


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Everything recorded for one part. Frames and poses stand in order of arrival.

    sensor_frames: of a sensor beside the camera that fires apart from it.
    notes: what the line held against the part while it was recorded. clocks: what the line's clocks
    knew when the job began, after the first `poses_before` poses; None: they begin with this scan.
    """

    folder: Path
    calibration: Calibration
    grid: GridSpec | None
    frames: tuple[FrameRecord, ...]
    poses: tuple[Pose, ...]
    notes: tuple[Note, ...] = ()
    clocks: SyncState | None = None
    poses_before: int = 0
    sensor_frames: tuple[FrameRecord, ...] = ()

    @property
    def calibrations(self) -> dict[str, Calibration]:
        """Of its one camera."""
        return {ONLY: self.calibration}

    @property
    def cameras(self) -> Mapping[str, Scan]:
        """As of several."""
        return {ONLY: self}

    @property
    def frame_count(self) -> int:
        """Of its camera."""
        return len(self.frames)

    def load_frame(self, index: int, camera: str = "camera") -> Frame:
        """Frame `index` with its pixels. Raises ScanError when a file is not what it should be."""
        return decoded_frame(self.frames[index], self.calibration, camera)

    def events(self) -> Iterator[Pose | Frame]:
        """Poses and frames merged in order of host arrival, a frame's pixels loaded in its turn.

        With `clocks`, only what they do not know yet.
        """
        known = self.poses_before if self.clocks is not None else 0
        poses = ((p.t_arrival_ns, 0, i) for i, p in enumerate(self.poses) if i >= known)
        every = (self.frames, self.sensor_frames)
        frames = [
            [(frame.t_arrival_ns, kind, index) for index, frame in enumerate(each)]
            for kind, each in enumerate(every, start=1)
        ]
        for _, kind, index in heapq.merge(poses, *frames):
            if kind == 0:
                yield self.poses[index]
            else:
                yield decoded_frame(every[kind - 1][index], self.calibration)


def decoded_frame(record: FrameRecord, known: Calibration, camera: str = "camera") -> Frame:
    """A frame with its pixels. Raises ScanError when a picture is not what it should be."""
    depth_mm = None if record.depth is None else _depth_mm(record.depth, known.of_depth)
    apart = record.image is None
    return Frame(
        camera=record.camera or camera,
        frame_id=record.frame_id,
        t_device_ns=record.t_device_ns,
        t_arrival_ns=record.t_arrival_ns,
        exposure_ns=record.exposure_ns,
        image=_image(record, known),
        depth_mm=depth_mm if apart or known.sensor is None else None,
        sensed_mm=None if apart or known.sensor is None else depth_mm,
        device=record.device,
    )


def _image(record: FrameRecord, known: Calibration) -> Pixels:
    if record.image is None:  # nobody looks at a sensor's own picture
        return np.zeros((known.of_depth.height_px, known.of_depth.width_px), np.uint8)
    size = (known.width_px, known.height_px)
    return _decoded(record.image, lambda content: decode_picture(content, *size))


def _depth_mm(picture: Picture, known: Calibration) -> DepthMap:
    size, unit_mm = (known.width_px, known.height_px), known.depth_unit_mm
    if isinstance(picture, Stored) and picture.floats:
        return _decoded(picture, lambda content: _floats(content, *size))
    return _decoded(picture, lambda content: decode_depth(content, *size, unit_mm))


def _floats(content: bytes, width_px: int, height_px: int) -> DepthMap:
    if len(content) != 4 * width_px * height_px:
        raise ValueError(f"{len(content)} bytes, not {width_px} x {height_px} float32")
    return np.frombuffer(content, "<f4").reshape(height_px, width_px).astype(np.float32)


def _decoded(path: Picture, decode: Callable[[bytes], Row]) -> Row:
    try:
        content = path.content if isinstance(path, Stored) else _content(path)
        if len(content) > MAX_PICTURE_BYTES:
            raise ValueError(f"larger than {MAX_PICTURE_BYTES} bytes")
        return decode(content)
    except FileNotFoundError as error:
        raise ScanError(f"{path}: no such file; copy the whole scan") from error
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ScanError(f"{path}: {error}") from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_PICTURE_BYTES + 1)


# --- the lines together -------------------------------------------------------------------------

# what must grow from line to line
FRAME_ORDER: dict[str, Callable[[FrameRecord], int]] = {
    "frame_id": lambda record: record.frame_id,
    "t_camera_ticks": lambda record: record.t_device_ns,
    "host_rx": lambda record: record.t_arrival_ns,
}


def check_order(path: Path, rows: tuple[Row, ...], order: dict[str, Callable[[Row], int]]) -> None:
    for number, (before, after) in enumerate(pairwise(rows), start=2):
        for key, value in order.items():
            # two messages may arrive in one tick of the host's clock, nothing else may repeat
            ahead = value(after) - value(before)
            if ahead < 0 or (ahead == 0 and key != "host_rx"):
                raise ScanError(f"{path}:{number}: out of order, {key} must grow from line to line")
