"""Everything that crosses a socket: one frozen, ranged pydantic model per message.

Commands are a union told apart by `command`, replies by `reply`; a reply echoes the `request_id`
of its command. Frames on the wire: PUB `[topic, json]`, DEALER and REQ `[json]`. State and result
names follow OPC UA Machine Vision (OPC 40100-1).
"""

from __future__ import annotations

import math
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.json_schema import models_json_schema

from voxgate.runtime.common.explain import one_line
from voxgate.runtime.common.labels import LABEL
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.transforms import UNIT_QUATERNION_TOLERANCE

TOPIC_POSE = b"pose"
MAX_POSE_BYTES = 1024  # a pose is about 150 bytes
MAX_COMMAND_BYTES = 4096  # a command is at most about 400 bytes
MAX_REPLY_BYTES = 1 << 20  # a verdict with every list full stays below this
MAX_DEFECTS = 100  # listed in a verdict, worst first; `defect_count` counts all of them
MAX_REASONS = 100
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


# --- robot -> box, poses -----------------------------------------------------------------------


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


# --- robot -> box, commands --------------------------------------------------------------------


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


# --- box -> robot, the verdict -----------------------------------------------------------------


class ReasonMessage(Message):
    """Why the verdict is not PASS: a word from a closed list and a sentence."""

    reason: Reason
    detail: Detail


class DefectMessage(Message):
    """One defect, mm, in the part's frame and in the robot's base."""

    centroid_part_mm: Point
    centroid_base_mm: Point
    size_mm: tuple[NotNegative, NotNegative, NotNegative]
    volume_mm3: NotNegative
    peak_score: NotNegative
    voxels: Count
    views: Count


class ViewMessage(Message):
    """What became of one planned viewpoint."""

    view: Count
    frame_id: Count
    uncertainty_mm: NotNegative
    peak_score: NotNegative


class AlignmentMessage(Message):
    """How the part stood on the fixture: reference_from_part is 4x4, row by row, mm."""

    reference_from_part: tuple[tuple[Coordinate, Coordinate, Coordinate, Coordinate], ...] = Field(
        min_length=4, max_length=4
    )
    shift_mm: NotNegative
    rotation_deg: Annotated[float, Field(ge=0, le=180)]
    residual_mm: NotNegative
    inliers: Annotated[float, Field(ge=0, le=1)]


class DriftMessage(Message):
    """What the views say of the calibration: how far the camera must have moved, to agree."""

    drift_mm: NotNegative = Field(description="rms over the measured surface")
    drift_px: NotNegative = Field(description="the same in the picture")
    residual_mm: NotNegative = Field(description="disagreement of two views after that motion")


class EvidenceStatus(str, Enum):
    """Whether the pictures behind a verdict are kept; it changes nothing about the verdict."""

    QUEUED = "queued"  # taken; written behind the verdict, a fault says if that fails
    MISSING = "missing"  # could not be taken: queue or disk full, folder not writable
    OFF = "off"  # the configuration asks for none


class VerdictMessage(Message):
    """Topic `verdict.<cell>`, and the `result` of a reply: the one answer to one job."""

    result_id: Identifier
    job_id: Identifier
    part_id: Identifier
    recipe: RecipeName
    configuration_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] = Field(
        description="hash of the cell's configuration, calibration included"
    )
    is_partial: Literal[False] = Field(
        default=False, description="OPC 40100-1; false: nothing follows, one verdict per job"
    )
    is_simulated: bool = Field(description="true: no line may act on this verdict")
    created_utc: datetime = Field(description="UTC of the journal entry, RFC 3339")
    outcome: Outcome
    reasons: tuple[ReasonMessage, ...] = Field(max_length=MAX_REASONS)
    score: NotNegative | None = Field(description="the part's score; 1.0 is the threshold")
    threshold: Annotated[float, Field(ge=1, le=1)] = 1.0
    coverage: Annotated[float, Field(ge=0, le=1)] | None = Field(
        description="seen fraction of the expected surface"
    )
    defects: tuple[DefectMessage, ...] = Field(max_length=MAX_DEFECTS)
    defect_count: Count = Field(description="may be more than are listed")
    views: tuple[ViewMessage, ...] = Field(max_length=1000)
    alignment: AlignmentMessage | None
    drift: DriftMessage | None = Field(
        default=None, description="None: the views overlap too little to tell"
    )
    backend: Annotated[str, Field(max_length=64)]
    evidence: EvidenceStatus = Field(
        default=EvidenceStatus.OFF, description="whether the job's recording is kept"
    )
    timing_ms: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,48}$")], NotNegative] = Field(
        max_length=64
    )

    @model_validator(mode="after")
    def _pass_is_proven(self) -> VerdictMessage:
        if self.outcome is Outcome.PASS and (self.reasons or self.defects or self.score is None):
            raise ValueError("a PASS has a score and neither reasons against it nor defects")
        if self.outcome is not Outcome.PASS and not self.reasons:
            raise ValueError(f"{self.outcome.value} needs a reason")
        return self


# --- box -> robot, replies ---------------------------------------------------------------------


class RefusalCode(str, Enum):
    """Why a command was not done: a closed list for the robot program to branch on."""

    MALFORMED = "malformed"
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


# --- box -> any, published ---------------------------------------------------------------------


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
    unacknowledged: Unacknowledged = 0
    oldest_unacknowledged: OldestUnacknowledged = None


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
    EVIDENCE = "evidence"  # the recording of a job could not be kept; its verdict stands


class FaultMessage(Message):
    """Topic `fault.<cell>`: something broke, said once, when it broke."""

    seq: Sequence
    t_host_ns: Stamp = Field(description="host monotonic clock")
    code: FaultCode
    detail: Detail
    camera: Annotated[str, Field(max_length=32)] | None = None
    job_id: Identifier | None = None


# --- topics, reading, schema -------------------------------------------------------------------


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


class MalformedMessage(ValueError):
    """Bytes that are no message; `str()` is one line that says what is allowed.

    request_id: what could be read of it, for the echo.
    """

    def __init__(self, detail: str, request_id: str | None = None) -> None:
        super().__init__(detail[:MAX_DETAIL])
        self.request_id = request_id


_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="command")])
_REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="reply")])
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


def parse_reply(payload: bytes) -> Reply:
    """One reply, as the robot's side reads it. Raises MalformedMessage."""
    try:
        return _REPLY.validate_json(payload)
    except ValidationError as error:
        raise MalformedMessage(one_line(error)) from None


def parse_pose(payload: bytes) -> PoseMessage:
    """One pose. Raises MalformedMessage."""
    if len(payload) > MAX_POSE_BYTES:
        raise MalformedMessage(f"a pose has at most {MAX_POSE_BYTES} bytes, got {len(payload)}")
    try:
        return PoseMessage.model_validate_json(payload)
    except ValidationError as error:
        raise MalformedMessage(one_line(error)) from None


def _command_help(error: ValidationError) -> str:
    kind = error.errors(include_url=False)[0]["type"]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return f"command: allowed are {', '.join(COMMANDS)}"
    return one_line(error)


def _legible_request_id(payload: bytes) -> str | None:
    try:
        return _IDENTIFIER.validate_python(_AnyObject.model_validate_json(payload).request_id)
    except ValidationError:
        return None


class _AnyObject(BaseModel):
    request_id: Any = None


_PUBLISHED: tuple[type[Message], ...] = (
    PoseMessage,
    *(PrepareRecipe, Rollback, StartJob, StopJob, Abort, Reset, GetState, GetResult, Acknowledge),
    *(Done, StateReply, ResultReply, Refused),
    *(VerdictMessage, OfferMessage, HeartbeatMessage, FaultMessage),
)


def messages_schema() -> dict[str, Any]:
    """JSON Schema of every message, by class name under `$defs`."""
    _, schema = models_json_schema(
        [(model, "validation") for model in _PUBLISHED], title="VoxGate messages"
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
