"""What stands in a recorded job: topics, and the JSON Schema of each.

Pictures, poses and points are Foxglove's well-known schemas (foxglove.dev/docs, JSON encoding),
which viewers draw without being told how: metres, base64, `{sec, nsec}`. What a replay reads is
ours (`voxgate.*`), with the units in the names and whole nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from voxgate.runtime.nouns import Reason
from voxgate.runtime.wire.verdict import VerdictMessage

PROFILE = "voxgate"
FORMAT = "1"
JOB = "voxgate.job"  # metadata record
CALIBRATION_FILE, GRID_FILE, LINE_FILE = "calibration.json", "grid.json", "line.json"

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_INTEGER, _NUMBER, _TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
_BYTES = {"type": "string", "contentEncoding": "base64"}
_TIME = {
    "type": "object",
    "title": "time",
    "properties": {
        "sec": {"type": "integer", "minimum": 0},
        "nsec": {"type": "integer", "minimum": 0, "maximum": 999999999},
    },
}


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
    """One channel: JSON messages of one schema."""

    name: str
    schema_name: str
    schema: dict[str, Any]


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


def _xyz(*axes: str) -> dict[str, Any]:
    return {"type": "object", "properties": {axis: _NUMBER for axis in axes}}


_POSE = {
    "type": "object",
    "title": "foxglove.Pose",
    "properties": {"position": _xyz(*"xyz"), "orientation": _xyz(*"xyzw")},
}
_IMAGE = _object(
    "foxglove.CompressedImage",
    "A compressed image",
    timestamp=_TIME,
    frame_id=_TEXT,
    data=_BYTES,
    format=_TEXT,
)
_RAW_IMAGE = _object(
    "foxglove.RawImage",
    "An uncompressed image",
    timestamp=_TIME,
    frame_id=_TEXT,
    width=_INTEGER,
    height=_INTEGER,
    encoding=_TEXT,
    step=_INTEGER,
    data=_BYTES,
)
_TRANSFORM = _object(
    "foxglove.FrameTransform",
    "A transform between two reference frames, m",
    timestamp=_TIME,
    parent_frame_id=_TEXT,
    child_frame_id=_TEXT,
    translation=_xyz(*"xyz"),
    rotation=_xyz(*"xyzw"),
)
_PLACED = _object(
    "foxglove.PoseInFrame",
    "A pose in a reference frame, m",
    timestamp=_TIME,
    frame_id=_TEXT,
    pose=_POSE,
)
_CLOUD = _object(
    "foxglove.PointCloud",
    "Points with fields, m",
    timestamp=_TIME,
    frame_id=_TEXT,
    pose=_POSE,
    point_stride=_INTEGER,
    fields={
        "type": "array",
        "items": {"type": "object", "properties": {"name": _TEXT, "type": _INTEGER}},
    },
    data=_BYTES,
)
_OWN_POSE = _object(
    "voxgate.Pose",
    "The flange in the robot's base, as the robot sent it",
    seq={"type": ["integer", "null"]},
    t_robot_ns=_INTEGER,
    t_arrival_ns=_INTEGER,
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
    part_from_camera={"type": "array", "items": _numbers(4), "description": "4 x 4, mm"},
    uncertainty_mm=_NUMBER,
    reason={"enum": [reason.value for reason in Reason]},
    detail=_TEXT,
    command={"type": "object"},
)

IMAGE = Topic("/camera/image", "foxglove.CompressedImage", _IMAGE)
DEPTH = Topic("/camera/depth", "foxglove.CompressedImage", _IMAGE)
DEPTH_FLOAT = Topic("/camera/depth_mm", "foxglove.RawImage", _RAW_IMAGE)
FRAME = Topic("/camera/frame", "voxgate.Frame", _OWN_FRAME)
VIEW = Topic("/camera/view", "foxglove.PoseInFrame", _PLACED)
POSE = Topic("/robot/pose", "voxgate.Pose", _OWN_POSE)
TRANSFORM = Topic("/tf", "foxglove.FrameTransform", _TRANSFORM)
EVENT = Topic("/job/event", "voxgate.JobEvent", _OWN_EVENT)
VERDICT = Topic("/verdict", "voxgate.Verdict", VerdictMessage.model_json_schema())
VOLUME = Topic("/volume", "foxglove.PointCloud", _CLOUD)
TOPICS = (IMAGE, DEPTH, DEPTH_FLOAT, FRAME, VIEW, POSE, TRANSFORM, EVENT, VERDICT, VOLUME)

FLOAT32, UINT32 = 7, 5
"""Of Foxglove's NumericType."""
CLOUD_FIELDS = (
    ("x", FLOAT32),
    ("y", FLOAT32),
    ("z", FLOAT32),
    ("score", FLOAT32),
    ("hits", UINT32),
)
