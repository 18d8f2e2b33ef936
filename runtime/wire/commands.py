"""Robot -> box: commands, a union told apart by `command`. DEALER and REQ `[json]`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.wire.fields import Identifier, MalformedMessage, Message, RecipeName

MAX_COMMAND_BYTES = 4096  # a command is at most about 400 bytes


class CommandMessage(Message):
    """What every command carries; the reply echoes `request_id`."""

    request_id: Identifier


class PrepareRecipe(CommandMessage):
    """Load `recipe` (name, or name/version) and prove it with its probe; it serves the next job.

    Until then the one that serves goes on. Done: it serves; refused: the one before serves on.
    """

    command: Literal["prepare_recipe"] = "prepare_recipe"
    recipe: RecipeName


class Rollback(CommandMessage):
    """Back to the recipe that served before this one; again: forward.

    recipe: when given, it must be that one.
    """

    command: Literal["rollback"] = "rollback"
    recipe: RecipeName | None = None


class StartJob(CommandMessage):
    """Open a job. Only frames exposed after the reply belong to it.

    job_id: chosen by the robot, never used twice. recipe: when given, it must be the one that
    serves; while another one is being prepared it must be given.
    """

    command: Literal["start_job"] = "start_job"
    job_id: Identifier
    part_id: Identifier
    recipe: RecipeName | None = None


class StopJob(CommandMessage):
    """The last view is exposed: decide. The reply comes with the verdict, inside the deadline."""

    command: Literal["stop_job"] = "stop_job"
    job_id: Identifier


class Abort(CommandMessage):
    """Give up the open job: its verdict is INDETERMINATE (aborted)."""

    command: Literal["abort"] = "abort"


class Reset(CommandMessage):
    """Leave ERROR once its cause is mended."""

    command: Literal["reset"] = "reset"


class GetState(CommandMessage):
    """Ask for state, recipe and open job."""

    command: Literal["get_state"] = "get_state"


class GetResult(CommandMessage):
    """Ask again for a journalled verdict, however old."""

    command: Literal["get_result"] = "get_result"
    job_id: Identifier


class Acknowledge(CommandMessage):
    """The robot has acted on this result; stored with the result."""

    command: Literal["acknowledge"] = "acknowledge"
    result_id: Identifier


Command = (
    PrepareRecipe
    | Rollback
    | StartJob
    | StopJob
    | Abort
    | Reset
    | GetState
    | GetResult
    | Acknowledge
)
COMMANDS = (
    "prepare_recipe",
    "rollback",
    "start_job",
    "stop_job",
    "abort",
    "reset",
    "get_state",
    "get_result",
    "acknowledge",
)
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="command")])
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)


def parse_command(payload: bytes) -> Command:
    """One command. Raises MalformedMessage with what is allowed."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise MalformedMessage(
            f"a command has at most {MAX_COMMAND_BYTES} bytes, got {len(payload)}"
        )
    try:
        return _COMMAND.validate_json(payload)
    except ValidationError as error:
        raise MalformedMessage(_command_help(error), _legible_request_id(payload)) from None


def _command_help(error: ValidationError) -> str:
    kind = error.errors(include_url=False)[0]["type"]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return f"command: allowed are {', '.join(COMMANDS)}"
    return first_finding(error)


def _legible_request_id(payload: bytes) -> str | None:
    try:
        return _IDENTIFIER.validate_python(_AnyObject.model_validate_json(payload).request_id)
    except ValidationError:
        return None


class _AnyObject(BaseModel):
    request_id: Any = None
