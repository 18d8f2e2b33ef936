"""The messages that MCAP viewers draw by themselves: `foxglove.*` as Protocol Buffers.

Field numbers are those of Foxglove's published schemas (docs.foxglove.dev, message schemas).
Lengths are metres there, and times seconds with nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxgate.runtime.scans.viewers.protobuf import Enums, Field, Messages, description, encode

_TIME = "google.protobuf.Timestamp"
_NUMERIC = "foxglove.PackedElementField.NumericType"

MESSAGES: Messages = {
    _TIME: (Field(1, "seconds", "int64"), Field(2, "nanos", "int32")),
    "foxglove.Vector3": tuple(Field(n, axis, "double") for n, axis in enumerate("xyz", 1)),
    "foxglove.Quaternion": tuple(Field(n, axis, "double") for n, axis in enumerate("xyzw", 1)),
    "foxglove.Pose": (
        Field(1, "position", "foxglove.Vector3"),
        Field(2, "orientation", "foxglove.Quaternion"),
    ),
    "foxglove.CompressedImage": (
        Field(1, "timestamp", _TIME),
        Field(2, "data", "bytes"),
        Field(3, "format", "string"),
        Field(4, "frame_id", "string"),
    ),
    "foxglove.RawImage": (
        Field(1, "timestamp", _TIME),
        Field(2, "width", "fixed32"),
        Field(3, "height", "fixed32"),
        Field(4, "encoding", "string"),
        Field(5, "step", "fixed32"),
        Field(6, "data", "bytes"),
        Field(7, "frame_id", "string"),
    ),
    "foxglove.CameraCalibration": (
        Field(1, "timestamp", _TIME),
        Field(2, "width", "fixed32"),
        Field(3, "height", "fixed32"),
        Field(4, "distortion_model", "string"),
        Field(5, "D", "double", repeated=True),
        Field(6, "K", "double", repeated=True),
        Field(7, "R", "double", repeated=True),
        Field(8, "P", "double", repeated=True),
        Field(9, "frame_id", "string"),
    ),
    "foxglove.FrameTransform": (
        Field(1, "timestamp", _TIME),
        Field(2, "parent_frame_id", "string"),
        Field(3, "child_frame_id", "string"),
        Field(4, "translation", "foxglove.Vector3"),
        Field(5, "rotation", "foxglove.Quaternion"),
    ),
    "foxglove.PoseInFrame": (
        Field(1, "timestamp", _TIME),
        Field(2, "frame_id", "string"),
        Field(3, "pose", "foxglove.Pose"),
    ),
    "foxglove.PackedElementField": (
        Field(1, "name", "string"),
        Field(2, "offset", "fixed32"),
        Field(3, "type", _NUMERIC),
    ),
    "foxglove.PointCloud": (
        Field(1, "timestamp", _TIME),
        Field(2, "frame_id", "string"),
        Field(3, "pose", "foxglove.Pose"),
        Field(4, "point_stride", "fixed32"),
        Field(5, "fields", "foxglove.PackedElementField", repeated=True),
        Field(6, "data", "bytes"),
    ),
}
ENUMS: Enums = {
    _NUMERIC: (
        *("UNKNOWN", "UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32", "FLOAT64"),
    )
}
UINT32, FLOAT32 = 5, 7
"""Of NumericType."""
IMAGE_DATA, RAW_IMAGE_DATA = 2, 6
"""Numbers of the fields that hold a picture's bytes."""


def schema(name: str) -> bytes:
    """The description that stands in the file beside the messages."""
    return description(MESSAGES, ENUMS, name)


def message(name: str, values: Mapping[str, Any]) -> bytes:
    """One message's bytes."""
    return encode(MESSAGES, name, values)
