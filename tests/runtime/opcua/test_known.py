"""What a PLC is shown: a PASS never outlives part or box, and every refusal has a number."""

from __future__ import annotations

import re

import pytest

from tests.kits.journalled import passing_verdict
from tests.kits.repository import ROOT
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.opcua.known import Known
from voxgate.runtime.opcua.methods import ERRORS
from voxgate.runtime.opcua.results import result_state
from voxgate.runtime.opcua.values import STANDARD
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import HeartbeatMessage
from voxgate.runtime.wire.verdict import ReasonMessage


def beat(job_id: str | None = None) -> HeartbeatMessage:
    state = State.READY if job_id is None else State.EXECUTING
    told = {"seq": 1, "t_host_ns": 1, "heartbeat_ms": 50, "is_simulated": True}
    return HeartbeatMessage.model_validate(
        {**told, "state": state, "recipe": "bracket/1", "job_id": job_id}
    )


@pytest.fixture
def passed() -> Known:
    """A part has just passed."""
    known = Known()
    for said in (beat(), beat("j1"), passing_verdict("j1"), beat()):
        known.hear(said)
    assert known.verdict is not None
    return known


def test_a_part_that_the_robot_started_has_the_verdict_of_the_one_before(passed: Known) -> None:
    passed.hear(beat("j2"))
    assert passed.verdict is None
    assert passed.open_job == "j2"
    passed.hear(passing_verdict("j2"))
    assert passed.verdict is not None
    assert passed.verdict.job_id == "j2"


@pytest.mark.parametrize("late", [None, "j1"])
def test_a_heartbeat_from_before_the_start_brings_the_old_verdict_back(
    passed: Known, late: str | None
) -> None:
    passed.started("j2")
    passed.hear(beat(late))
    assert passed.verdict is None
    assert passed.open_job == "j2"


def test_a_verdict_that_is_told_late_is_of_the_part_in_hand(passed: Known) -> None:
    passed.started("j2")
    passed.hear(passing_verdict("j1"))
    assert passed.verdict is None


def test_a_box_that_was_silent_still_stands_by_its_pass(passed: Known) -> None:
    passed.hear(None)
    assert passed.verdict is None
    passed.hear(beat())
    assert passed.verdict is None


def test_a_stop_after_a_silence_asks_for_the_pass_of_a_part_that_is_long_gone(
    passed: Known,
) -> None:
    passed.hear(None)
    passed.hear(beat())
    assert passed.open_job is None


@pytest.mark.parametrize("reason", [Reason.ABORTED, Reason.CRASHED, Reason.POSE_GAP])
def test_a_part_that_was_not_judged_is_a_completed_result(reason: Reason) -> None:
    notes = (ReasonMessage(reason=reason, detail="said"),)
    undecided = {"outcome": Outcome.INDETERMINATE, "reasons": notes}
    assert result_state(passing_verdict("j1").model_copy(update=undecided)).name != "COMPLETED"
    assert result_state(passing_verdict("j1")).name == "COMPLETED"


def test_a_refusal_looks_like_success_or_is_not_in_the_table_that_a_plc_is_programmed_by() -> None:
    page = (ROOT / "docs/how-to/opcua.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| (-\d+) \| `(\w+)` \|$", page, re.MULTILINE))
    assert listed == {str(number): code.value for code, number in ERRORS.items()}
    assert max(ERRORS.values()) < 0


def test_a_state_of_the_box_has_no_place_in_the_standards_machine() -> None:
    assert set(STANDARD) == set(State)
