"""The state machine over ALL states and events: no pair is undefined, no move is a surprise."""

from __future__ import annotations

from itertools import product

import pytest

from voxgate.runtime.station.state import Event, Refusal, move
from voxgate.runtime.wire.fields import State

S, E = State, Event

ALLOWED: dict[tuple[State, Event], State] = {
    (S.PREOPERATIONAL, E.SET_UP): S.INITIALIZED,
    (S.PREOPERATIONAL, E.LOST): S.PREOPERATIONAL,
    (S.INITIALIZED, E.LOST): S.PREOPERATIONAL,
    (S.READY, E.LOST): S.PREOPERATIONAL,
    (S.EXECUTING, E.LOST): S.EXECUTING,
    (S.ERROR, E.LOST): S.ERROR,
    (S.PREOPERATIONAL, E.PREPARE): S.PREOPERATIONAL,
    (S.PREOPERATIONAL, E.PREPARE_FAILED): S.PREOPERATIONAL,
    (S.INITIALIZED, E.SET_UP): S.INITIALIZED,
    (S.INITIALIZED, E.PREPARE): S.INITIALIZED,
    (S.INITIALIZED, E.PREPARED): S.READY,
    (S.INITIALIZED, E.PREPARE_FAILED): S.INITIALIZED,
    (S.READY, E.SET_UP): S.READY,
    (S.READY, E.PREPARE): S.READY,
    (S.READY, E.PREPARED): S.READY,
    (S.READY, E.PREPARE_FAILED): S.READY,
    (S.READY, E.START_JOB): S.EXECUTING,
    (S.EXECUTING, E.SET_UP): S.EXECUTING,
    (S.EXECUTING, E.PREPARE): S.EXECUTING,
    (S.EXECUTING, E.PREPARE_FAILED): S.EXECUTING,
    (S.EXECUTING, E.STOP_JOB): S.EXECUTING,
    (S.EXECUTING, E.ABORT): S.EXECUTING,
    (S.EXECUTING, E.DECIDED): S.READY,
    (S.ERROR, E.SET_UP): S.ERROR,
    (S.ERROR, E.PREPARED): S.ERROR,
    (S.ERROR, E.PREPARE_FAILED): S.ERROR,
    (S.ERROR, E.DECIDED): S.ERROR,
    (S.ERROR, E.RESET): S.PREOPERATIONAL,
    **{(state, E.FAULT): S.ERROR for state in State if state is not S.HALTED},
    **{(state, E.SHUTDOWN): S.HALTED for state in State},
}


@pytest.mark.parametrize(("state", "event"), [*product(State, Event)])
def test_every_pair_moves_as_stated_or_is_refused_with_a_sentence(
    state: State, event: Event
) -> None:
    target = move(state, event)
    if (state, event) in ALLOWED:
        assert target is ALLOWED[state, event]
    else:
        assert isinstance(target, Refusal)
        assert len(target.sentence.split()) > 3


def test_a_job_starts_from_ready_only() -> None:
    starters = [state for state in State if move(state, E.START_JOB) is S.EXECUTING]
    assert starters == [S.READY]


def test_ready_is_reached_through_a_proven_recipe_or_a_decided_job_only() -> None:
    ways = {
        (state, event)
        for state, event in product(State, Event)
        if state is not S.READY and move(state, event) is S.READY
    }
    assert ways == {(S.INITIALIZED, E.PREPARED), (S.EXECUTING, E.DECIDED)}


def test_error_is_left_by_reset_or_shutdown_only() -> None:
    leaving = {e for e in Event if move(S.ERROR, e) not in {S.ERROR} and _moves(S.ERROR, e)}
    assert leaving == {E.RESET, E.SHUTDOWN}


def test_halted_is_the_end() -> None:
    assert {move(S.HALTED, e) for e in Event if _moves(S.HALTED, e)} == {S.HALTED}


def _moves(state: State, event: Event) -> bool:
    return not isinstance(move(state, event), Refusal)
