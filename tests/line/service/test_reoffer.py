"""A verdict nobody acknowledged is said again on the wire, over a crash too."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kits.cell_kit import ServiceProcess, until, write_cell
from tests.kits.robot_kit import Robot
from voxgate.runtime.wire.commands import Abort, Acknowledge, GetState
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import StateReply


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
        for result_id in {offer["result"]["result_id"] for offer in robot.published("offer")}:
            robot.ask(Acknowledge, result_id=result_id)
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
