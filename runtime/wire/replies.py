"""Box -> robot: replies, told apart by `reply`; each echoes the `request_id` of its command."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.wire.fields import (
    Cameras,
    Detail,
    Identifier,
    MalformedMessage,
    Message,
    OldestUnacknowledged,
    Preparing,
    RecipeName,
    State,
    Unacknowledged,
)
from voxgate.runtime.wire.verdict import VerdictMessage

MAX_REPLY_BYTES = 1 << 20  # a verdict with every list full stays below this


class RefusalCode(str, Enum):
    """Why a command was not done: a closed list for the robot program to branch on."""

    MALFORMED = "malformed"
    NOT_ALLOWED = "not_allowed"
    WRONG_STATE = "wrong_state"
    RECIPE_FAILED = "recipe_failed"
    RECIPE_MISMATCH = "recipe_mismatch"
    DUPLICATE_JOB = "duplicate_job"
    UNKNOWN_JOB = "unknown_job"
    NOT_DECIDED = "not_decided"
    UNKNOWN_RESULT = "unknown_result"
    BUSY = "busy"
    CAMERA_LOST = "camera_lost"
    JOURNAL_FAILED = "journal_failed"
    SHUTDOWN = "shutdown"


class ReplyMessage(Message):
    """What every reply carries: the echo, and the state after the command."""

    request_id: Identifier | None = Field(description="None: the command had none that was legible")
    state: State


DoneCommand = Literal["prepare_recipe", "rollback", "start_job", "reset", "acknowledge"]


class Done(ReplyMessage):
    """The command was carried out and has nothing more to tell."""

    reply: Literal["done"] = "done"
    command: DoneCommand


class StateReply(ReplyMessage):
    """Answer to `get_state`."""

    reply: Literal["state"] = "state"
    cell: str
    recipe: RecipeName | None = Field(description="the one that serves")
    preparing: Preparing = None
    rollback: RecipeName | None = Field(
        default=None, description="what `rollback` would bring back"
    )
    fallback: Detail | None = Field(
        default=None, description="not null: why the configured recipe does not serve"
    )
    configuration_id: str
    is_simulated: bool
    job_id: Identifier | None
    error: Detail | None = Field(
        description="why the state is ERROR, or the last recipe asked for does not serve"
    )
    cameras: Cameras = ()
    unacknowledged: Unacknowledged = 0
    oldest_unacknowledged: OldestUnacknowledged = None
    version: str


class ResultReply(ReplyMessage):
    """Answer to `stop_job`, `abort` and `get_result`: the journalled verdict."""

    reply: Literal["result"] = "result"
    result: VerdictMessage


class Refused(ReplyMessage):
    """Nothing was done; `detail` says why and what is allowed."""

    reply: Literal["refused"] = "refused"
    code: RefusalCode
    detail: Detail


Reply = Done | StateReply | ResultReply | Refused
_REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="reply")])


def parse_reply(payload: bytes) -> Reply:
    """One reply, as the robot's side reads it. Raises MalformedMessage."""
    try:
        return _REPLY.validate_json(payload)
    except ValidationError as error:
        raise MalformedMessage(first_finding(error)) from None
