"""The service's state machine: one total table over states and events, names of OPC 40100-1.

PREOPERATIONAL -> INITIALIZED -> READY -> EXECUTING -> READY ...
INITIALIZED, READY -a camera is lost-> PREOPERATIONAL, until it streams again
any -> ERROR (a promise cannot be kept) -reset-> PREOPERATIONAL;   any -> HALTED (shutting down)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voxgate.runtime.wire.fields import State


class Event(str, Enum):
    """What can happen to the service, by command or from inside."""

    SET_UP = "set_up"  # sockets are bound, cameras stream
    LOST = "lost"  # a camera streams no more; another worker is on its way
    PREPARE = "prepare"  # a recipe is being loaded, beside the one that serves if there is one
    PREPARED = "prepared"  # its probe passed, it serves from now on
    PREPARE_FAILED = "prepare_failed"
    START_JOB = "start_job"
    STOP_JOB = "stop_job"
    ABORT = "abort"
    DECIDED = "decided"  # the job's verdict is journalled
    FAULT = "fault"  # a promise cannot be kept any more
    RESET = "reset"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The event changes nothing; the sentence says what to do instead."""

    sentence: str


_NOT_SET_UP = Refusal("the cameras are not up yet: ask get_state until INITIALIZED or READY")
_NO_RECIPE = Refusal("no recipe is prepared: send prepare_recipe first")
_NO_JOB = Refusal("no job is open: send start_job first")
_JOB_OPEN = Refusal("a job is open: stop_job or abort it first")
_IN_ERROR = Refusal("the service is in ERROR: mend the cause that get_state tells, then send reset")
_NO_ERROR = Refusal("there is nothing to reset: the service is not in ERROR")
_HALTED = Refusal("the service is shutting down: wait until it is back")
_NOT_EXPECTED = Refusal("this cannot happen in this state")

_S = State
_E = Event

_MOVES: dict[State, dict[Event, State | Refusal]] = {
    _S.PREOPERATIONAL: {
        _E.SET_UP: _S.INITIALIZED,
        _E.LOST: _S.PREOPERATIONAL,
        _E.PREPARE: _S.PREOPERATIONAL,
        _E.PREPARED: _NOT_SET_UP,  # the service waits for SET_UP before it says so
        _E.PREPARE_FAILED: _S.PREOPERATIONAL,
        _E.START_JOB: _NOT_SET_UP,
        _E.STOP_JOB: _NO_JOB,
        _E.ABORT: _NO_JOB,
        _E.DECIDED: _NOT_EXPECTED,
        _E.RESET: _NO_ERROR,
    },
    _S.INITIALIZED: {
        _E.SET_UP: _S.INITIALIZED,
        _E.LOST: _S.PREOPERATIONAL,
        _E.PREPARE: _S.INITIALIZED,
        _E.PREPARED: _S.READY,
        _E.PREPARE_FAILED: _S.INITIALIZED,
        _E.START_JOB: _NO_RECIPE,
        _E.STOP_JOB: _NO_JOB,
        _E.ABORT: _NO_JOB,
        _E.DECIDED: _NOT_EXPECTED,
        _E.RESET: _NO_ERROR,
    },
    _S.READY: {
        _E.SET_UP: _S.READY,
        _E.LOST: _S.PREOPERATIONAL,
        _E.PREPARE: _S.READY,
        _E.PREPARED: _S.READY,
        _E.PREPARE_FAILED: _S.READY,  # the one that served serves on
        _E.START_JOB: _S.EXECUTING,
        _E.STOP_JOB: _NO_JOB,
        _E.ABORT: _NO_JOB,
        _E.DECIDED: _NOT_EXPECTED,
        _E.RESET: _NO_ERROR,
    },
    _S.EXECUTING: {
        _E.SET_UP: _S.EXECUTING,
        _E.LOST: _S.EXECUTING,  # the job has it held against it, and its one verdict to come
        _E.PREPARE: _S.EXECUTING,
        _E.PREPARED: _JOB_OPEN,  # the service waits for DECIDED before it says so
        _E.PREPARE_FAILED: _S.EXECUTING,
        _E.START_JOB: _JOB_OPEN,
        _E.STOP_JOB: _S.EXECUTING,
        _E.ABORT: _S.EXECUTING,
        _E.DECIDED: _S.READY,
        _E.RESET: _JOB_OPEN,
    },
    _S.ERROR: {
        _E.SET_UP: _S.ERROR,
        _E.LOST: _S.ERROR,
        _E.PREPARE: _IN_ERROR,
        _E.PREPARED: _S.ERROR,
        _E.PREPARE_FAILED: _S.ERROR,
        _E.START_JOB: _IN_ERROR,
        _E.STOP_JOB: _NO_JOB,
        _E.ABORT: _NO_JOB,
        _E.DECIDED: _S.ERROR,
        _E.RESET: _S.PREOPERATIONAL,
    },
    _S.HALTED: {},
}


def move(state: State, event: Event) -> State | Refusal:
    """The state after `event`, or why nothing changes. Total: defined for every pair."""
    if event is Event.SHUTDOWN:
        return State.HALTED
    if state is State.HALTED:
        return _HALTED
    if event is Event.FAULT:
        return State.ERROR
    return _MOVES[state][event]
