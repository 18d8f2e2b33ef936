"""Box -> any, PUB `[topic, json]`: heartbeats, faults, verdicts offered again, and all topics."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

from pydantic import Field

from voxgate.runtime.wire.fields import (
    Cameras,
    Detail,
    Identifier,
    Message,
    OldestUnacknowledged,
    Preparing,
    RecipeName,
    Sequence,
    Stamp,
    State,
    Unacknowledged,
)
from voxgate.runtime.wire.verdict import VerdictMessage

LARGEST_PICTURE_PX = 400
PicturePx = Annotated[int, Field(ge=1, le=LARGEST_PICTURE_PX)]
MISSED_HEARTBEATS = 3  # so many in a row missing: the box is not there, a part is not passed


class HeartbeatMessage(Message):
    """Topic `heartbeat.<cell>`. A robot that misses three of them treats the part as not passed."""

    seq: Sequence
    t_host_ns: Stamp = Field(description="host monotonic clock")
    heartbeat_ms: Annotated[int, Field(ge=10, le=10_000)] = Field(description="time to the next")
    state: State
    recipe: RecipeName | None = Field(description="the one that serves")
    preparing: Preparing = None
    is_fallback: bool = Field(
        default=False, description="true: an older version serves than the configuration asks for"
    )
    job_id: Identifier | None
    is_simulated: bool
    cameras: Cameras = ()
    unacknowledged: Unacknowledged = 0
    oldest_unacknowledged: OldestUnacknowledged = None
    journal_head: Annotated[str, Field(max_length=90)] | None = Field(
        default=None,
        description="number and hash of the journal's last entry: who keeps it notices when some "
        "are taken away (`voxgate journal verify --head`)",
    )
    error: Detail | None = Field(
        default=None,
        description="as in `get_state`, or why a camera does not stream: what a person has to mend",
    )


class OfferMessage(Message):
    """Topic `offer.<cell>`: a verdict that nobody has acknowledged, said again.

    It may be of a part that is long gone: compare `job_id`, act, acknowledge `result_id`. Never
    on the topic of verdicts, and never with an outcome on the outside, so that no program takes it
    for the part in hand.
    """

    offered: Annotated[int, Field(ge=2, lt=2**53)] = Field(
        description="2: the second time that it is published since the service started"
    )
    t_host_ns: Stamp = Field(description="host monotonic clock")
    result: VerdictMessage


class FaultCode(str, Enum):
    """What broke: a closed list, so that it can be a metric's label."""

    CAMERA = "camera"
    FRAME = "frame"
    POSE = "pose"
    CLOCK = "clock"
    ENGINE = "engine"
    QUEUE_OVERFLOW = "queue_overflow"
    JOURNAL = "journal"
    RECIPE = "recipe"
    COMMAND = "command"
    PEER = "peer"  # somebody who may connect was cut off: he sent more than he may
    EVIDENCE = "evidence"  # the recording of a job could not be kept; its verdict stands


class FaultMessage(Message):
    """Topic `fault.<cell>`: something broke, said once, when it broke."""

    seq: Sequence
    t_host_ns: Stamp = Field(description="host monotonic clock")
    code: FaultCode
    detail: Detail
    camera: Annotated[str, Field(max_length=32)] | None = None
    job_id: Identifier | None = None


class PictureMessage(Message):
    """Topic `picture.<cell>` of the socket `pictures`: what a camera saw, small, for people.

    At most two a second of each camera, none while a verdict is being made. Who looks is shown what
    there is; who decides, decides by the verdict.
    """

    camera: Annotated[str, Field(max_length=32)]
    frame_id: Annotated[int, Field(ge=0, lt=2**64, description="the camera's own count")]
    t_host_ns: Stamp = Field(description="host monotonic clock, when the frame had come")
    width_px: PicturePx
    height_px: PicturePx
    channels: Literal[1, 3] = Field(description="1: grey; 3: red, green, blue")
    pixels: Annotated[str, Field(max_length=4 * LARGEST_PICTURE_PX**2)] = Field(
        description="base64 of uint8, rows from the top, channels together"
    )


def picture_topic(cell: str) -> bytes:
    """`picture.<cell>`."""
    return f"picture.{cell}".encode()


def verdict_topic(cell: str) -> bytes:
    """`verdict.<cell>`."""
    return f"verdict.{cell}".encode()


def heartbeat_topic(cell: str) -> bytes:
    """`heartbeat.<cell>`."""
    return f"heartbeat.{cell}".encode()


def offer_topic(cell: str) -> bytes:
    """`offer.<cell>`."""
    return f"offer.{cell}".encode()


def fault_topic(cell: str) -> bytes:
    """`fault.<cell>`."""
    return f"fault.{cell}".encode()
