"""The bytes of a picture in a recorded job's message, in each form that VoxGate ever wrote."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.scans import job_topics
from voxgate.runtime.scans.job_topics import Topic
from voxgate.runtime.scans.scan import MAX_PICTURE_BYTES
from voxgate.runtime.scans.viewers import foxglove
from voxgate.runtime.scans.viewers.protobuf import length_delimited

PictureBytes = Callable[[bytes, Topic], bytes]
"""From a message of the topic; raises ValueError for what is none."""


def _from_protobuf(message: bytes, topic: Topic) -> bytes:
    number = foxglove.RAW_IMAGE_DATA if topic.floats else foxglove.IMAGE_DATA
    content = length_delimited(message, number)
    if content is None:
        raise ValueError("no data")
    return content


def _from_json(message: bytes, topic: Topic) -> bytes:
    """As VoxGate 0.1 wrote it."""
    data = parse_object(message.decode("utf-8")).values.get("data")
    if not isinstance(data, str) or len(data) > 2 * MAX_PICTURE_BYTES:
        raise ValueError("no data in base64")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


PICTURE_BYTES: dict[str, PictureBytes] = {
    job_topics.JSON_FORMAT: _from_json,
    job_topics.FORMAT: _from_protobuf,
}
