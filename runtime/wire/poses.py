"""Robot -> box: where the flange is. PUB `[topic, json]`."""

from __future__ import annotations

import math

from pydantic import ValidationError, model_validator

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.transforms import UNIT_QUATERNION_TOLERANCE
from voxgate.runtime.wire.fields import MalformedMessage, Message, Part, Point, Sequence, Stamp

TOPIC_POSE = b"pose"
MAX_POSE_BYTES = 1024  # a pose is about 150 bytes


class PoseMessage(Message):
    """Topic `pose`: the flange in the robot's base at `t_robot_ns` of the robot's own clock."""

    seq: Sequence
    t_robot_ns: Stamp
    p_mm: Point
    q_wxyz: tuple[Part, Part, Part, Part]

    @model_validator(mode="after")
    def _unit_quaternion(self) -> PoseMessage:
        length = math.hypot(*self.q_wxyz)
        if abs(length - 1.0) > UNIT_QUATERNION_TOLERANCE:
            raise ValueError(f"q_wxyz must have length 1, got {length:.4f}")
        return self


def parse_pose(payload: bytes) -> PoseMessage:
    """One pose. Raises MalformedMessage."""
    if len(payload) > MAX_POSE_BYTES:
        raise MalformedMessage(f"a pose has at most {MAX_POSE_BYTES} bytes, got {len(payload)}")
    try:
        return PoseMessage.model_validate_json(payload)
    except ValidationError as error:
        raise MalformedMessage(first_finding(error)) from None
