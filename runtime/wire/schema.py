"""JSON Schema of every message that crosses a socket."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from voxgate.runtime.wire.commands import (
    Abort,
    Acknowledge,
    GetResult,
    GetState,
    PrepareRecipe,
    Reset,
    Rollback,
    StartJob,
    StopJob,
)
from voxgate.runtime.wire.fields import Message
from voxgate.runtime.wire.poses import PoseMessage
from voxgate.runtime.wire.published import (
    FaultMessage,
    HeartbeatMessage,
    OfferMessage,
    PictureMessage,
)
from voxgate.runtime.wire.replies import Done, Refused, ResultReply, StateReply
from voxgate.runtime.wire.verdict import VerdictMessage

_PUBLISHED: tuple[type[Message], ...] = (
    PoseMessage,
    *(PrepareRecipe, Rollback, StartJob, StopJob, Abort, Reset, GetState, GetResult, Acknowledge),
    *(Done, StateReply, ResultReply, Refused),
    *(VerdictMessage, OfferMessage, HeartbeatMessage, FaultMessage, PictureMessage),
)


def messages_schema() -> dict[str, Any]:
    """JSON Schema of every message, by class name under `$defs`."""
    _, schema = models_json_schema(
        [(model, "validation") for model in _PUBLISHED], title="VoxGate messages"
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
