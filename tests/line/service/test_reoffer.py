"""A verdict nobody acknowledged is said again: never as another one, never without end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kits.cell_kit import Robot, ServiceProcess, until, write_cell
from tests.runtime.records.test_journal import record, verdict
from voxgate.runtime.common.timings import FOREVER_NS
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.station.reoffer import MOST, PACE_NS, Offers
from voxgate.runtime.wire.commands import Abort, Acknowledge, GetState
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import StateReply

PERIOD_NS = 5_000_000_000


def taken(offers: Offers, until_ns: int) -> list[tuple[int, str, int]]:
    """Every offer up to a time: when, which, for the how manieth time."""
    found, now_ns = [], 0
    while now_ns <= until_ns:
        offer = offers.take(now_ns)
        if offer is not None:
            found.append((now_ns, *offer))
        now_ns = max(now_ns + 1, offers.wake_ns())
    return found


def test_verdict_is_offered_so_often_and_no_more() -> None:
    offers = Offers(PERIOD_NS, 3)
    offers.decided("a", 0)
    assert taken(offers, 100 * PERIOD_NS) == [
        (PERIOD_NS, "a", 2),
        (2 * PERIOD_NS, "a", 3),
        (3 * PERIOD_NS, "a", 4),
    ]
    assert offers.wake_ns() == FOREVER_NS


def test_offering_can_be_switched_off() -> None:
    offers = Offers(PERIOD_NS, 0)
    offers.decided("a", 0)
    offers.again(["a", "b"], 0)
    assert taken(offers, 100 * PERIOD_NS) == []


def test_acknowledged_one_is_silent() -> None:
    offers = Offers(PERIOD_NS, 3)
    offers.decided("a", 0)
    offers.settled("a")
    assert offers.wake_ns() == FOREVER_NS


def test_listener_that_comes_late_hears_those_that_had_fallen_silent() -> None:
    offers = Offers(PERIOD_NS, 1)
    offers.decided("a", 0)
    assert taken(offers, 10 * PERIOD_NS) == [(PERIOD_NS, "a", 2)]
    offers.again(["a"], 20 * PERIOD_NS)
    assert offers.take(20 * PERIOD_NS + PACE_NS) == ("a", 3)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10**10), st.booleans()), max_size=80),
    st.integers(0, 4),
)
def test_no_robot_is_flooded(steps: list[tuple[int, int, bool]], times: int) -> None:
    offers, now_ns, last_ns, heard = Offers(PERIOD_NS, times), 0, -PACE_NS, dict[str, int]()
    for number, passed_ns, again in steps:
        now_ns += passed_ns
        if again:
            offers.again([f"r{number}"], now_ns)
        else:
            offers.decided(f"r{number}", now_ns)
        offer = offers.take(now_ns)
        if offer is not None:
            assert now_ns - last_ns >= PACE_NS
            assert times > 0
            last_ns, heard[offer[0]] = now_ns, offer[1]
        assert len(offers._open) <= MOST


# --- the journal ---------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    for number in range(5):
        journal.open_job(record(f"job-{number}"))
        journal.close_job(verdict(f"job-{number}", f"res-{number}"))
    yield journal
    journal.close()


LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


def test_newest_open_results_come_oldest_first(journal: Journal) -> None:
    journal.acknowledge("res-3")
    assert journal.unacknowledged(3, LONG_AGO) == ["res-1", "res-2", "res-4"]
    assert journal.unacknowledged(3, datetime.now(tz=timezone.utc) + timedelta(days=999)) == []
    assert journal.count_unacknowledged(1000) == (4, "job-0")
    assert journal.count_unacknowledged(2) == (2, "job-0")
    for number in range(5):
        journal.acknowledge(f"res-{number}")
    assert journal.count_unacknowledged(1000) == (0, None)


def test_acknowledged_result_is_not_offered(journal: Journal) -> None:
    assert journal.unacknowledged_result("res-1") == verdict("job-1", "res-1")
    journal.acknowledge("res-1")
    assert journal.unacknowledged_result("res-1") is None
    assert journal.unacknowledged_result("never") is None


def test_million_acknowledged_rows_are_not_read(journal: Journal) -> None:
    asked: list[str] = []
    journal._db.set_trace_callback(asked.append)
    journal.count_unacknowledged(1000)
    journal.unacknowledged(32, LONG_AGO)
    journal._db.set_trace_callback(None)
    assert len(asked) == 3
    for query in asked:
        plan = str(journal._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
        assert "SEARCH results USING" in plan
        assert "INDEX unacknowledged" in plan
        assert "TEMP B-TREE" not in plan


# --- on the wire ---------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(folder: Path, **job: Any) -> Iterator[tuple[ServiceProcess, Robot]]:
    service = ServiceProcess(write_cell(folder, job=job)).start()
    try:
        with Robot(folder) as robot:
            robot.wait_for(State.READY)
            yield service, robot
    finally:
        service.kill_if_left()


def test_robot_that_was_away_hears_its_verdict_again_until_it_acknowledges(folder: Path) -> None:
    quick = {"reoffer_ms": 100, "reoffer_times": 2}
    with serving(folder, **quick) as (service, robot):
        robot.start_job("job-1")
        robot.ask(Abort)
        until(lambda: len(robot.published("offer")) == 2, "two offers")
        assert [offer["offered"] for offer in robot.published("offer")] == [2, 3]
        first = robot.published("verdict")[0]
        assert all(offer["result"] == first for offer in robot.published("offer"))
        robot.start_job("job-2")  # left open
        service.end(signal.SIGKILL)
    with serving(folder, **quick) as (_, robot), Robot(folder) as late:
        state = robot.ask(GetState)
        assert isinstance(state, StateReply)
        assert (state.unacknowledged, state.oldest_unacknowledged) == (2, "job-1")
        until(lambda: len(robot.published("offer")) >= 4, "each of them twice")
        jobs = [offer["result"]["job_id"] for offer in robot.published("offer")]
        assert set(jobs) == {"job-1", "job-2"}
        assert not late.published("verdict")  # nobody takes it for the part in hand
        for offer in robot.published("offer")[-2:]:
            robot.ask(Acknowledge, result_id=offer["result"]["result_id"])
        until(lambda: robot.published("heartbeat")[-1]["unacknowledged"] == 0, "the count")
        with Robot(folder) as later:
            until(lambda: len(later.published("heartbeat")) > 6, "three tenths of a second")
            assert not later.published("offer")
        count = len(robot.published("verdict"))
        assert count <= 1  # of the crash; never a second verdict


def test_listener_that_comes_when_all_were_offered_hears_them(folder: Path) -> None:
    with serving(folder, reoffer_ms=100, reoffer_times=1) as (_, robot):
        robot.start_job("job-1")
        robot.ask(Abort)
        until(lambda: robot.published("offer"), "the offer")
        with Robot(folder) as late:
            (offer,) = until(lambda: late.published("offer"), "the offer to who came late")
            assert offer["result"]["job_id"] == "job-1"
            assert offer["offered"] >= 3
