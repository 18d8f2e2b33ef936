"""What stands in a recorded job: topics, and the schema of each.

Pictures, places, lens and points are Foxglove's messages as Protocol Buffers, which viewers draw
without being told how. What a replay reads besides pictures is ours (`voxgate.*`): JSON with its
JSON Schema, units in the names, whole nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from voxgate.runtime.nouns import Device, Reason
from voxgate.runtime.wire.verdict import VerdictMessage

PROFILE = "voxgate"
FORMAT = "2"
JSON_FORMAT = "1"  # of VoxGate 0.1: pictures too were JSON, in base64
JOB = "voxgate.job"  # metadata record
CALIBRATION_FILE, GRID_FILE, LINE_FILE = "calibration.json", "grid.json", "line.json"
CAMERAS_FILE = "cameras.json"
"""Of several cameras: the calibration of each, by name, the first one's first."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_INTEGER, _NUMBER, _TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}


class Kind(str, Enum):
    """What an event of the job is."""

    TOOK = "took"  # the synchronizer was asked
    FLUSHED = "flushed"  # waiting frames were given up
    HANDED = "handed"  # the inspector got a view
    HELD = "held"  # the inspector got a note
    ASKED = "asked"  # the inspector, for its verdict
    TOLD = "told"  # a command of the robot
    DECLARED = "declared"  # ended without the inspector
    WITHDRAWN = "withdrawn"  # the verdict was taken back


@dataclass(frozen=True, slots=True)
class Topic:
    """One channel. schema: of its JSON messages; None: Protocol Buffers, known by schema_name."""

    name: str
    schema_name: str
    schema: dict[str, Any] | None = None

    def of(self, camera: str) -> Topic:
        """Of one of several cameras; "": of the only one."""
        return replace(self, name=f"/{camera}{self.name}") if camera else self

    @property
    def floats(self) -> bool:
        """Whether its pictures are raw float32 instead of PNG or JPEG."""
        return self.schema_name == "foxglove.RawImage"


def _object(title: str, about: str, **properties: Any) -> dict[str, Any]:
    return {
        "$schema": _DRAFT,
        "title": title,
        "description": about,
        "type": "object",
        "properties": properties,
    }


def _numbers(count: int) -> dict[str, Any]:
    return {"type": "array", "items": _NUMBER, "minItems": count, "maxItems": count}


_OWN_POSE = _object(
    "voxgate.Pose",
    "The flange in the robot's base, as the robot sent it",
    seq={"type": ["integer", "null"]},
    t_robot_ns=_INTEGER,
    t_arrival_ns=_INTEGER,
    t_awaited_ns={"type": ["integer", "null"], "description": "looked for in vain; null: at once"},
    p_mm=_numbers(3),
    q_wxyz=_numbers(4),
    before={"type": "boolean", "description": "came before the job; the clock fit knows it"},
)
_OWN_FRAME = _object(
    "voxgate.Frame",
    "One exposure; its pictures are the messages of the same sequence",
    camera=_TEXT,
    frame_id=_INTEGER,
    view={"type": ["integer", "null"]},
    t_device_ns=_INTEGER,
    t_arrival_ns=_INTEGER,
    exposure_ns=_INTEGER,
    depth={"enum": ["png", "float32", None]},
    depth_unit_mm=_NUMBER,
)
_OWN_EVENT = _object(
    "voxgate.JobEvent",
    "What the line did with the job, in its order",
    kind={"enum": [kind.value for kind in Kind]},
    t_host_ns=_INTEGER,
    frame_id=_INTEGER,
    camera={"type": "string", "description": "of several cameras, which took the view"},
    part_from_camera={"type": "array", "items": _numbers(4), "description": "4 x 4, mm"},
    uncertainty_mm=_NUMBER,
    sensor={
        "type": "object",
        "description": "what the sensor beside the camera gave to the view",
        "properties": {
            "frame_id": _INTEGER,
            "part_from_sensor": {"type": "array", "items": _numbers(4)},
            "uncertainty_mm": _NUMBER,
        },
    },
    reason={"enum": [reason.value for reason in Reason]},
    detail=_TEXT,
    command={"type": "object"},
)

IMAGE = Topic("/camera/image", "foxglove.CompressedImage")
DEPTH = Topic("/camera/depth", "foxglove.CompressedImage")
DEPTH_FLOAT = Topic("/camera/depth_mm", "foxglove.RawImage")
LENS = Topic("/camera/calibration", "foxglove.CameraCalibration")
FRAME = Topic("/camera/frame", "voxgate.Frame", _OWN_FRAME)
SENSOR_DEPTH = Topic("/sensor/depth", "foxglove.CompressedImage")
SENSOR_DEPTH_FLOAT = Topic("/sensor/depth_mm", "foxglove.RawImage")
SENSOR_LENS = Topic("/sensor/calibration", "foxglove.CameraCalibration")
SENSOR_FRAME = Topic("/sensor/frame", "voxgate.Frame", _OWN_FRAME)
VIEW = Topic("/camera/view", "foxglove.PoseInFrame")
POSE = Topic("/robot/pose", "voxgate.Pose", _OWN_POSE)
TRANSFORM = Topic("/tf", "foxglove.FrameTransform")
EVENT = Topic("/job/event", "voxgate.JobEvent", _OWN_EVENT)
VERDICT = Topic("/verdict", "voxgate.Verdict", VerdictMessage.model_json_schema())
VOLUME = Topic("/volume", "foxglove.PointCloud")
OF_CAMERAS = (
    *(IMAGE, DEPTH, DEPTH_FLOAT, LENS, FRAME, VIEW),
    *(SENSOR_DEPTH, SENSOR_DEPTH_FLOAT, SENSOR_LENS, SENSOR_FRAME),
)
"""Each of several cameras has its own."""
OF_JOB = (POSE, TRANSFORM, EVENT, VERDICT, VOLUME)
TOPICS = (*OF_CAMERAS, *OF_JOB)
"""Of a job of one camera."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose frame it is, and the topics of such. camera: of several, which; device: its own, or the
    sensor beside it."""

    camera: str
    device: Device

    @property
    def frame(self) -> str:
        """As viewers call where it stands."""
        return self.camera if self.camera and self.device is Device.CAMERA else self.device.value

    @property
    def image(self) -> Topic:
        """Of its pictures."""
        return IMAGE.of(self.camera)

    @property
    def depth(self) -> Topic:
        """Of its depth, where whole counts tell it."""
        return _DEPTH[self.device].of(self.camera)

    @property
    def depth_float(self) -> Topic:
        """Of its depth, where they do not."""
        return _DEPTH_FLOAT[self.device].of(self.camera)

    @property
    def row(self) -> Topic:
        """Of the frames themselves."""
        return _FRAME[self.device].of(self.camera)


_FRAME = {Device.CAMERA: FRAME, Device.SENSOR: SENSOR_FRAME}
_DEPTH = {Device.CAMERA: DEPTH, Device.SENSOR: SENSOR_DEPTH}
_DEPTH_FLOAT = {
    Device.CAMERA: DEPTH_FLOAT,
    Device.SENSOR: SENSOR_DEPTH_FLOAT,
}
