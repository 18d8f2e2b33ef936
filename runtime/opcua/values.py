"""Which value every variable has, by what is known of the cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from asyncua import ua

from voxgate.runtime.opcua import standard_types as types
from voxgate.runtime.opcua.known import Known
from voxgate.runtime.opcua.results import result_of
from voxgate.runtime.opcua.standard_types import StandardState
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import HeartbeatMessage
from voxgate.runtime.wire.verdict import VerdictMessage

GOOD = ua.StatusCodes.Good
SILENT = ua.StatusCodes.BadNoCommunication
UNDECIDED = ua.StatusCodes.BadWaitingForInitialData
ELSEWHERE = ua.StatusCodes.BadStateNotActive
TEXT, FLAG, WHOLE, REAL, TIME = (
    ua.VariantType.String,
    ua.VariantType.Boolean,
    ua.VariantType.UInt32,
    ua.VariantType.Double,
    ua.VariantType.DateTime,
)
STANDARD: dict[State, tuple[StandardState, StandardState | None]] = {
    State.PREOPERATIONAL: (types.PREOPERATIONAL, None),
    State.INITIALIZED: (types.OPERATIONAL, types.INITIALIZED),
    State.READY: (types.OPERATIONAL, types.READY),
    State.EXECUTING: (types.OPERATIONAL, types.SINGLE_EXECUTION),
    State.ERROR: (types.ERROR, None),
    State.HALTED: (types.HALTED, None),
}


@dataclass(frozen=True, slots=True)
class Value:
    """What a node shows from now on; variant None where the status is bad."""

    node: str
    variant: ua.Variant | None
    status: int = GOOD


@dataclass(frozen=True, slots=True)
class Row:
    """A variable that is read off a message."""

    name: str
    kind: ua.VariantType
    read: Callable[[Any], Any]
    array: bool = False


CELL = (
    Row("State", TEXT, lambda beat: beat.state.value),
    Row("Recipe", TEXT, lambda beat: beat.recipe or ""),
    Row("Preparing", TEXT, lambda beat: beat.preparing or ""),
    Row("JobId", TEXT, lambda beat: beat.job_id or ""),
    Row("IsSimulated", FLAG, lambda beat: beat.is_simulated),
    Row("IsFallback", FLAG, lambda beat: beat.is_fallback),
    Row("Unacknowledged", WHOLE, lambda beat: beat.unacknowledged),
    Row("Error", TEXT, lambda beat: beat.error or ""),
)
VERDICT = (
    Row("JobId", TEXT, lambda verdict: verdict.job_id),
    Row("PartId", TEXT, lambda verdict: verdict.part_id),
    Row("ResultId", TEXT, lambda verdict: verdict.result_id),
    Row("Recipe", TEXT, lambda verdict: verdict.recipe),
    Row("Outcome", TEXT, lambda verdict: verdict.outcome.value),
    Row("IsSimulated", FLAG, lambda verdict: verdict.is_simulated),
    Row("Score", REAL, lambda verdict: verdict.score),
    Row("Defects", WHOLE, lambda verdict: verdict.defect_count),
    Row("Reasons", TEXT, lambda verdict: [n.reason.value for n in verdict.reasons], array=True),
    Row("CreatedUtc", TIME, lambda verdict: verdict.created_utc),
    Row("Json", TEXT, lambda verdict: verdict.to_json().decode()),
)


def cell_values(known: Known, vision: int) -> Iterator[Value]:
    """Of every heartbeat. vision: index of the namespace of the standard's nodes."""
    yield from _states(known.beat, vision)
    yield from _rows("Cell", CELL, known.beat, SILENT)


def verdict_values(known: Known, classes: dict[str, Any]) -> Iterator[Value]:
    """Of the last job."""
    missing = SILENT if known.beat is None else UNDECIDED
    yield from _rows("Verdict", VERDICT, known.verdict, missing)
    yield _result(known.verdict, missing, classes)


def _states(beat: HeartbeatMessage | None, vision: int) -> Iterator[Value]:
    if beat is None:
        yield from _state("VisionStateMachine", None, SILENT, vision)
        yield from _state("AutomaticModeStateMachine", None, SILENT, vision)
        return
    whole, automatic = STANDARD[beat.state]
    yield from _state("VisionStateMachine", whole, GOOD, vision)
    yield from _state("AutomaticModeStateMachine", automatic, ELSEWHERE, vision)


def _state(
    machine: str, state: StandardState | None, otherwise: int, vision: int
) -> Iterator[Value]:
    node = f"{machine}.CurrentState"
    if state is None:
        yield Value(node, None, otherwise)
        yield Value(f"{node}.Id", None, otherwise)
        return
    yield Value(node, ua.Variant(ua.LocalizedText(state.name), ua.VariantType.LocalizedText))
    yield Value(f"{node}.Id", ua.Variant(ua.NodeId(state.id, vision), ua.VariantType.NodeId))


def _rows(
    folder: str,
    rows: tuple[Row, ...],
    message: HeartbeatMessage | VerdictMessage | None,
    otherwise: int,
) -> Iterator[Value]:
    for row in rows:
        node = f"{folder}.{row.name}"
        told = None if message is None else row.read(message)
        if told is None:
            yield Value(node, None, otherwise)
        else:
            yield Value(node, ua.Variant(told, row.kind))


def _result(verdict: VerdictMessage | None, otherwise: int, classes: dict[str, Any]) -> Value:
    if verdict is None:
        return Value("Results.Result", None, otherwise)
    result = ua.Variant(result_of(verdict, classes), ua.VariantType.ExtensionObject)
    return Value("Results.Result", result)
