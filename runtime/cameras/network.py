"""Frames over a ZeroMQ PULL socket that the worker binds: the virtual cell and remote cameras.

A message is [header JSON, image, depth?] (`FrameHeader`). What cannot be read is a counted fault
and the next message is read as usual: a sender can neither crash nor stop the worker.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zmq

from voxgate.runtime.cameras.frame_gate import FaultKind, SourceFault
from voxgate.runtime.cameras.settings import CameraSettings, NetworkSettings
from voxgate.runtime.common.access import Access
from voxgate.runtime.common.clock import steady_ns
from voxgate.runtime.errors import CameraError
from voxgate.runtime.nouns import DepthMap, Frame, Picture
from voxgate.runtime.pixels.coord3d import (
    Coord3dModel,
    Coordinate,
    depth_mm_from_planes,
    planes_from_bytes,
)
from voxgate.runtime.pixels.pixel_format import colours_from_bytes, grey_from_bytes
from voxgate.runtime.wire.door.allowance import Allowance
from voxgate.runtime.wire.door.connections import Cause, CutOff
from voxgate.runtime.wire.door.keeper import Door

Content = bytes | memoryview
HEADER_BYTES = 4096
MOST_PARTS = 3  # header, image, depth; one more is kept, so that it is seen that there were more
NO_MISTAKE_PARTS = 64  # who sends more does not send frames
IN_KERNEL_BYTES = 16 * 1024 * 1024
_LARGEST_FLOAT = 1e9  # mm, or counts: beyond any sensor, far inside float32
_INT64 = range(-(2**63), 2**63)
_REQUIRED = {
    "camera": str,
    "frame_id": int,
    "t_device_ns": int,
    "exposure_ns": int,
    "width": int,
    "height": int,
    "pixel_format": str,
    "encoding": str,
}
PIXEL_FORMATS = {"Mono8": 1, "RGB8": 3}
"""What a picture may be sent as, with its channels."""
_DEPTH_FORMATS = ("Coord3D_C16", "Coord3D_C32f")
_ALLOWED = {*_REQUIRED, "depth", "depth_scale_mm", "depth_offset_mm", "depth_invalid"}


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The checked first part of a message."""

    camera: str
    frame_id: int
    t_device_ns: int
    exposure_ns: int
    width: int
    height: int
    pixel_format: str
    encoding: Literal["raw", "jpeg+png"]
    depth: str | None = None
    depth_scale_mm: float = 1.0
    depth_offset_mm: float = 0.0
    depth_invalid: float | None = None


def header_from_bytes(data: bytes) -> FrameHeader:
    """Raises ValueError that says which key is wrong and what is allowed."""
    if len(data) > HEADER_BYTES:
        raise ValueError(f"a header has at most {HEADER_BYTES} bytes, got {len(data)}")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise ValueError(f"the header is not JSON: {e}") from e
    if not isinstance(values, dict):
        raise ValueError(f"the header is a JSON object, got {type(values).__name__}")
    _check_keys(values)
    _check_values(values)
    return FrameHeader(**values)


def frame_from_message(
    parts: Sequence[Content], settings: CameraSettings, t_arrival_ns: int
) -> Frame:
    """The frame in a message's parts; raises ValueError with one line when it is none."""
    if not 2 <= len(parts) <= 3:
        raise ValueError(f"a message has 2 or 3 parts, got {len(parts)}")
    header = header_from_bytes(bytes(parts[0]))
    if header.camera != settings.name:
        raise ValueError(f"a frame of camera {header.camera!r} came to {settings.name!r}")
    if (header.width, header.height) != (settings.width_px, settings.height_px):
        raise ValueError(
            f"frame {header.frame_id} is {header.width} x {header.height}, "
            f"expected {settings.width_px} x {settings.height_px} pixels"
        )
    if (header.depth is not None) != (len(parts) == 3):
        raise ValueError("the depth part comes if and only if the header names its format")
    return Frame(
        camera=settings.name,
        frame_id=header.frame_id,
        t_device_ns=header.t_device_ns,
        t_arrival_ns=t_arrival_ns,
        exposure_ns=header.exposure_ns,
        image=_image(header, parts[1], settings),
        depth_mm=_depth(header, parts[2]) if header.depth is not None else None,
    )


class NetworkSource:
    """Binds the camera's PULL socket and takes what comes, one message at a time."""

    continuous_ids = False  # a scan player may start each job with another number
    frame_id_bits: int | None = None

    def __init__(self, settings: CameraSettings, source: NetworkSettings) -> None:
        self._settings = settings
        self._source = source
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PULL)
        self._poller = zmq.Poller()
        self._door: Door | None = None
        self._cut: deque[CutOff] = deque()

    def open(self) -> str:
        """Bind; returns the endpoint, with the port where the system chose it.

        Raises CameraError when the address is taken or not of this machine, KeyFileError when
        the box's key cannot be used.
        """
        import voxgate.runtime.pixels.picture  # noqa: F401  now, not at the first frame: it takes 0.2 s

        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, self._settings.slots)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _largest_part(self._settings))
        self._socket.setsockopt(zmq.IPV6, int("[" in self._source.endpoint))
        self._door = Door(self._context, self._access())
        self._door.guard(self._socket, "frames", _allowance(self._settings))
        try:
            self._socket.bind(self._source.endpoint)
        except zmq.ZMQError as e:
            raise CameraError(
                f"camera {self._settings.name}: cannot bind {self._source.endpoint}: {e}"
            ) from e
        self._poller.register(self._socket, zmq.POLLIN)
        return self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def take(self) -> Frame | SourceFault | CutOff | None:
        """The next frame, or what is wrong with the next message, or who was cut off for what he
        sent, or None when none waits."""
        if self._door is not None:
            self._cut += self._door.take_cut()
        if self._cut:
            return self._cut.popleft()
        message = self._receive()
        if message is None:
            return None
        parts, t_arrival_ns = message
        try:
            return frame_from_message(parts, self._settings, t_arrival_ns)
        except ValueError as e:
            return SourceFault(FaultKind.INVALID, str(e))

    def drain(self) -> tuple[int, int | None]:
        """Throw away what waits; how many messages that were (their ids do not matter)."""
        count = 0
        while self._receive() is not None:
            count += 1
        return count, None

    def wait(self, link_fd: int, timeout_s: float) -> None:
        """Sleep until a message comes, the link speaks, or the time is over."""
        self._poller.register(link_fd, zmq.POLLIN)
        self._poller.poll(int(timeout_s * 1_000))

    def close(self) -> None:
        """Close the socket; senders keep what they have not sent."""
        self._socket.close(linger=0)
        if self._door is not None:
            self._door.close()
        self._context.term()

    def _access(self) -> Access | None:
        if self._source.secret_key is None:
            return None
        allowed = self._source.allowed
        return Access(Path(self._source.secret_key), {"frames": frozenset(allowed)}, allowed)

    def _receive(self) -> tuple[list[Content], int] | None:
        """The parts of the next message, and when it had come: all of them are there with the
        first, and 12 Mpx are not copied before their arrival is stamped."""
        try:
            first = self._socket.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        t_arrival_ns = steady_ns()
        parts: list[Content] = [first.bytes]
        count = 1
        while self._socket.rcvmore:
            part = self._socket.recv(copy=False)
            count += 1
            if count <= MOST_PARTS + 1:
                parts.append(part.buffer)
        if self._door is not None:
            descriptor = int(first.get(zmq.SRCFD))
            self._door.whole("frames", descriptor)
            if count > NO_MISTAKE_PARTS:
                self._door.cut("frames", descriptor, Cause.TOO_LARGE)
        return parts, t_arrival_ns


def _largest_part(settings: CameraSettings) -> int:
    """A raw float32 depth map is the largest thing a camera of this size may send."""
    return max(4 * settings.width_px * settings.height_px, HEADER_BYTES)


def _allowance(settings: CameraSettings) -> Allowance:
    """Until a whole message was taken: what may wait in the queue, and one on its way."""
    whole_bytes = MOST_PARTS * _largest_part(settings)
    return Allowance((settings.slots + 2) * whole_bytes + IN_KERNEL_BYTES, 0, IN_KERNEL_BYTES)


def _check_keys(values: dict[str, Any]) -> None:
    unknown = sorted(set(values) - _ALLOWED)
    missing = sorted(set(_REQUIRED) - set(values))
    if unknown or missing:
        raise ValueError(f"header keys: unknown {unknown}, missing {missing}")
    for key, kind in _REQUIRED.items():
        if type(values[key]) is not kind:
            raise ValueError(f"header {key} must be {kind.__name__}, got {values[key]!r:.80}")


def _check_values(values: dict[str, Any]) -> None:
    for key in ("frame_id", "t_device_ns", "exposure_ns"):
        if values[key] not in _INT64:
            raise ValueError(f"header {key} must fit in 64 bits, got {values[key]!r:.40}")
    if values["frame_id"] < 0 or values["exposure_ns"] < 0:
        raise ValueError("header frame_id and exposure_ns must not be negative")
    if values["pixel_format"] not in PIXEL_FORMATS:
        raise ValueError(
            f"header pixel_format must be Mono8 or RGB8, got {values['pixel_format']!r:.80}"
        )
    if values["encoding"] not in ("raw", "jpeg+png"):
        raise ValueError(f"header encoding must be raw or jpeg+png, got {values['encoding']!r:.80}")
    if values.get("depth") is not None:
        _check_depth(values)


def _check_depth(values: dict[str, Any]) -> None:
    if values["depth"] not in _DEPTH_FORMATS:
        raise ValueError(f"header depth must be one of {_DEPTH_FORMATS} or null")
    if values["depth"] == "Coord3D_C32f" and values["encoding"] != "raw":
        raise ValueError("depth of Coord3D_C32f travels with encoding raw only")
    for key in ("depth_scale_mm", "depth_offset_mm"):
        if not _is_number(values.get(key)):
            raise ValueError(f"header {key} must be a finite number, got {values.get(key)!r:.80}")
    if values["depth_scale_mm"] <= 0:
        raise ValueError(f"header depth_scale_mm must be positive, got {values['depth_scale_mm']}")
    invalid = values.get("depth_invalid")
    if invalid is not None and not _is_number(invalid):
        raise ValueError(
            f"header depth_invalid must be a finite number or null, got {invalid!r:.80}"
        )


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LARGEST_FLOAT  # not for NaN either


def _image(header: FrameHeader, data: Content, settings: CameraSettings) -> Picture:
    """In colour where the cell wants it; else the luma of what is sent in colour."""
    if not data and settings.device == "sensor":  # a 3D sensor need not have a picture
        return np.zeros((header.height, header.width), np.uint8)
    channels = PIXEL_FORMATS[header.pixel_format]
    if header.encoding == "raw":
        lines = _raw(data, np.dtype(np.uint8), header, "image", channels)
        read = colours_from_bytes if settings.colour and channels > 1 else grey_from_bytes
        return read(header.pixel_format, lines.reshape(-1), header.width, header.height)
    from voxgate.runtime.pixels.colour import grey_and_colour
    from voxgate.runtime.pixels.picture import decode_picture

    picture = decode_picture(bytes(data), header.width, header.height)
    if (picture.ndim == 3) is not (channels > 1):
        raise ValueError(f"the header says {header.pixel_format}, the picture is another")
    return picture if settings.colour else grey_and_colour(picture)[0]


def _depth(header: FrameHeader, data: Content) -> DepthMap:
    assert header.depth is not None
    raw: npt.NDArray[Any]
    if header.encoding == "raw":
        kind = np.dtype("<u2" if header.depth == "Coord3D_C16" else "<f4")
        raw = _raw(data, kind, header, "depth")
    else:
        from voxgate.runtime.pixels.picture import decode_counts

        raw = decode_counts(bytes(data), header.width, header.height)
    planes = planes_from_bytes(
        header.depth,
        np.ascontiguousarray(raw).view(np.uint8).reshape(-1),
        header.width,
        header.height,
    )
    axis = Coordinate(header.depth_scale_mm, header.depth_offset_mm, header.depth_invalid)
    return depth_mm_from_planes(planes, Coord3dModel(c=axis))


def _raw(
    data: Content, kind: np.dtype[Any], header: FrameHeader, what: str, channels: int = 1
) -> npt.NDArray[Any]:
    line = header.width * channels
    needed = line * header.height * kind.itemsize
    if len(data) != needed:
        raise ValueError(f"the raw {what} has {needed} bytes, got {len(data)}")
    return np.frombuffer(data, dtype=kind).reshape(header.height, line)
