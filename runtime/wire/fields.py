"""What the fields of messages may hold, and what every message is: frozen, ranged, no unknown keys.

State and result names follow OPC UA Machine Vision (OPC 40100-1).
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from voxgate.runtime.common.labels import LABEL
from voxgate.runtime.common.text import one_line

MAX_DETAIL = 500  # characters of a sentence

Stamp = Annotated[int, Field(ge=0, lt=2**63, description="int64 nanoseconds")]
Sequence = Annotated[int, Field(ge=0, lt=2**63, description="grows by one per message")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
RecipeName = Annotated[str, Field(pattern=LABEL)]
Detail = Annotated[str, Field(max_length=MAX_DETAIL)]
Coordinate = Annotated[float, Field(ge=-1e5, le=1e5, description="mm")]
Point = tuple[Coordinate, Coordinate, Coordinate]
Part = Annotated[float, Field(ge=-1.001, le=1.001)]
NotNegative = Annotated[float, Field(ge=0, le=1e12)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
MOST_UNACKNOWLEDGED = 1000  # counting stops there: some robots never acknowledge
Unacknowledged = Annotated[
    int,
    Field(ge=0, le=MOST_UNACKNOWLEDGED, description="verdicts; 1000: so many or more"),
]
OldestUnacknowledged = Annotated[
    Identifier | None, Field(description="job_id, for get_result and acknowledge")
]
Preparing = Annotated[
    RecipeName | None,
    Field(description="being prepared, or waiting for the open job's end to take over"),
]


class Message(BaseModel):
    """Frozen, no unknown keys, no NaN, no silent conversion of text to number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_json(self) -> bytes:
        """The bytes for the wire."""
        return self.model_dump_json().encode()


class State(str, Enum):
    """States of OPC 40100-1, on the wire and in the journal."""

    PREOPERATIONAL = "PREOPERATIONAL"  # the cameras are not up yet; a recipe may be loading
    INITIALIZED = "INITIALIZED"  # sockets and cameras are up, no recipe proven
    READY = "READY"  # a recipe's probe passed; a job may start
    EXECUTING = "EXECUTING"  # one job is open
    ERROR = "ERROR"  # a promise cannot be kept; `reset` when mended
    HALTED = "HALTED"  # shutting down, nothing is accepted any more


class CameraStanding(str, Enum):
    """Whether a camera delivers."""

    STARTING = "starting"  # its worker opens it
    STREAMING = "streaming"
    LOST = "lost"  # another worker is on its way
    GIVEN_UP = "given_up"  # after too many restarts; `reset` when mended


class CameraHealth(Message):
    """One camera, in the order of the configuration."""

    name: Annotated[str, Field(max_length=32)]
    standing: CameraStanding
    restarts: Annotated[int, Field(ge=0, lt=2**53)] = Field(description="since the service started")
    detail: Detail = Field(description="what it opened, or why it does not stream")


Cameras = Annotated[
    tuple[CameraHealth, ...],
    Field(description="a cell is READY only while every camera is `streaming`"),
]


class MalformedMessage(ValueError):
    """Bytes that are no message; `str()` is one line that says what is allowed.

    request_id: what could be read of it, for the echo.
    """

    def __init__(self, detail: str, request_id: str | None = None) -> None:
        super().__init__(one_line(detail, MAX_DETAIL))
        self.request_id = request_id
