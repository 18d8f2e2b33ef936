"""What a camera worker is told, as plain frozen values that cross the process border as JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from voxgate.runtime.cameras.setup import (
    CameraSetup,
    NodeSetting,
    NodeValue,
    PtpLimits,
    Trigger,
)
from voxgate.runtime.pixels.coord3d import Coord3dModel, Coordinate, Stereo

__all__ = ["CameraSettings", "GenicamSettings", "NetworkSettings", "NodeSetting", "NodeValue"]

Timestamp = Literal["device", "arrival"]
TimestampPoint = Literal["start", "end"]

_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class GenicamSettings:
    """One GenICam camera behind a GenTL producer.

    setup: applied first; nodes: after it, for what the setup has no word for.
    interface: id or name of the interface to reach it over; None: any.
    timestamp: "device" takes the camera's own clock and refuses frames without it; "arrival" takes
        this host's clock at the fetch, less the exposure: transfer jitter goes into the pose.
    timestamp_node: feature or chunk that carries the stamp; None is the GenTL buffer's own stamp.
    timestamp_hz: ticks per second of a stamp that is not in ns.
    exposure_us, exposure_node: a constant, or the feature or chunk to read; exactly one of the two.
    max_pause_ms: with "arrival", frames that waited while the worker stood still for longer are
        refused: their age is not known.
    coord3d: None reads scale, offset, invalid value and unit from the camera.
    """

    cti: str
    serial_number: str
    nodes: tuple[NodeSetting, ...] = ()
    stream_nodes: tuple[NodeSetting, ...] = ()
    buffer_handling: str = "OldestFirst"
    buffers: int = 16
    timestamp: Timestamp = "device"
    timestamp_node: str | None = None
    timestamp_point: TimestampPoint = "start"
    timestamp_hz: int = 1_000_000_000
    exposure_us: float | None = None
    exposure_node: str | None = None
    coord3d: Coord3dModel | None = None
    max_pause_ms: int = 50
    setup: CameraSetup = field(default_factory=CameraSetup)
    interface: str | None = None

    def __post_init__(self) -> None:
        _check_range("buffers", self.buffers, 4, 256)
        _check_range("timestamp_hz", self.timestamp_hz, 1_000, 1_000_000_000_000)
        _check_range("max_pause_ms", self.max_pause_ms, 5, 10_000)
        if not self.serial_number:
            raise ValueError("a GenICam camera is chosen by its serial number, got an empty one")
        if (self.exposure_us is None) == (self.exposure_node is None):
            raise ValueError("give exactly one of exposure_us and exposure_node")
        if self.exposure_us is not None:
            _check_range("exposure_us", self.exposure_us, 0, 60_000_000)


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Frames over a ZeroMQ PULL socket that the worker binds; plain on loopback only.

    secret_key: the box's CURVE key file; allowed: who may send frames, public key (Z85) -> name.
    """

    endpoint: str
    secret_key: str | None = None
    allowed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if parts.scheme == "ipc":
            return
        if parts.scheme != "tcp":
            raise ValueError(f"an endpoint is tcp://host:port or ipc://path, got {self.endpoint}")
        if self.secret_key is None and parts.hostname not in _LOOPBACK:
            raise ValueError(f"{self.endpoint} is open to the network: bind 127.0.0.1 or give keys")


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """One camera: what its frames must look like and when its worker counts as lost.

    device: "sensor" for a 3D sensor beside the camera, whose pixels are its own.
    offset_x_px, offset_y_px, binning: the part of its chip that the calibration is of; None: there
        is none to hold it against.
    colour: whether its pictures stay in colour; else they are its luma, whatever it sends.
    frame_id_bits: None is what the device says of itself, 64 where it says nothing.
    """

    name: str
    source: GenicamSettings | NetworkSettings
    width_px: int
    height_px: int
    depth: bool
    slots: int = 16
    frame_id_bits: int | None = None
    start_ms: int = 10_000
    heartbeat_ms: int = 1_000
    silence_ms: int | None = None
    backoff_ms: int = 200
    backoff_max_ms: int = 5_000
    restarts: int = 20
    restart_window_s: int = 600
    device: Literal["camera", "sensor"] = "camera"
    offset_x_px: int | None = None
    offset_y_px: int | None = None
    binning: int | None = None
    colour: bool = False

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(f"a camera's name is 1 to 32 of a-z 0-9 _ -, got {self.name!r}")
        _check_range("width_px", self.width_px, 1, 16_384)
        _check_range("height_px", self.height_px, 1, 16_384)
        _check_range("slots", self.slots, 2, 64)
        if self.frame_id_bits is not None:
            _check_range("frame_id_bits", self.frame_id_bits, 8, 64)
        _check_range("start_ms", self.start_ms, 100, 120_000)
        _check_range("heartbeat_ms", self.heartbeat_ms, 100, 60_000)
        _check_range("backoff_ms", self.backoff_ms, 1, 60_000)
        _check_range("backoff_max_ms", self.backoff_max_ms, self.backoff_ms, 600_000)
        _check_range("restarts", self.restarts, 0, 10_000)
        _check_range("restart_window_s", self.restart_window_s, 1, 86_400)
        if self.silence_ms is not None:
            _check_range("silence_ms", self.silence_ms, 10, 3_600_000)


def settings_to_json(settings: CameraSettings) -> str:
    """One line of JSON that `settings_from_json` reads back to an equal object."""
    kind = "genicam" if isinstance(settings.source, GenicamSettings) else "network"
    return json.dumps({**asdict(settings), "kind": kind})


def settings_from_json(text: str) -> CameraSettings:
    """The settings a parent wrote with `settings_to_json`."""
    values = json.loads(text)
    kind = values.pop("kind")
    source = values.pop("source")
    made = _genicam_from_values(source) if kind == "genicam" else _network_from_values(source)
    return CameraSettings(source=made, **values)


def _network_from_values(values: dict[str, Any]) -> NetworkSettings:
    return NetworkSettings(**values)


def _genicam_from_values(values: dict[str, Any]) -> GenicamSettings:
    for key in ("nodes", "stream_nodes"):
        values[key] = tuple(NodeSetting(**node) for node in values[key])
    if values["coord3d"] is not None:
        values["coord3d"] = _coord3d_from_values(values["coord3d"])
    values["setup"] = _setup_from_values(values["setup"])
    return GenicamSettings(**values)


def _setup_from_values(values: dict[str, Any]) -> CameraSetup:
    values["components"] = tuple((name, kind) for name, kind in values["components"])
    values["chunks"] = tuple(values["chunks"])
    for key, made in (("trigger", Trigger), ("ptp", PtpLimits)):
        if values[key] is not None:
            values[key] = made(**values[key])
    return CameraSetup(**values)


def _coord3d_from_values(values: dict[str, Any]) -> Coord3dModel:
    for axis in ("a", "b", "c"):
        values[axis] = Coordinate(**values[axis])
    if values["stereo"] is not None:
        values["stereo"] = Stereo(**values["stereo"])
    return Coord3dModel(**values)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must be between {low} and {high}, got {value}")
