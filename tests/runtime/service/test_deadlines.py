"""What the service does when time goes by, on a clock that the test turns."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.kits.good_part import reasons
from tests.kits.scripted_cell import Script
from tests.kits.stepped_cell import SteppedCell
from voxgate.runtime.cameras.restart_rule import Phase
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.station.starting import ARM_NS
from voxgate.runtime.station.station import HANG_NS
from voxgate.runtime.telemetry.vitals import INSPECTION_PATIENCE_NS
from voxgate.runtime.wire.commands import Abort, Acknowledge, Reset, StartJob, StopJob
from voxgate.runtime.wire.fields import CameraStanding, State
from voxgate.runtime.wire.replies import Done, RefusalCode, Refused, ResultReply
from voxgate.runtime.wire.verdict import VerdictMessage

MS = 1_000_000
QUIET = {"heartbeat_ms": 1000}


def stop(cell: SteppedCell, job_id: str = "job-1") -> VerdictMessage:
    """Stop a job; its verdict."""
    reply = cell.ask(StopJob, job_id=job_id)
    assert isinstance(reply, ResultReply), reply
    return reply.result


def expose(cell: SteppedCell, count: int = 3) -> None:
    for _ in range(count):
        cell.expose()


def be_busy(cell: SteppedCell, for_ns: int) -> None:
    """Each turn of the loop takes 60 ms meanwhile."""
    quick_ns, end_ns = cell.turn_ns, cell.time.now_ns + for_ns
    cell.turn_ns = 60 * MS
    cell.until(lambda: cell.time.now_ns > end_ns, "the end of what it had to do")
    cell.turn_ns = quick_ns


def opened(cell: SteppedCell, **fields: Any) -> RefusalCode | None:
    """Why a job did not start; None: it did."""
    reply = cell.ask(StartJob, **({"job_id": "job-2", "part_id": "p"} | fields))
    return reply.code if isinstance(reply, Refused) else None


# --- a job's deadline ----------------------------------------------------------------------------


def test_good_part_passes_and_every_time_is_the_clocks(tmp_path: Path) -> None:
    cell = SteppedCell(tmp_path, Script(add_s=0.1, finish_s=0.03))
    cell.start_job()
    expose(cell)
    verdict = stop(cell)
    assert verdict.outcome is Outcome.PASS
    assert verdict.timing_ms["inspect_max"] == 0.0  # the task ran at once; its time came after
    assert 300 < verdict.timing_ms["job"] < 500
    assert verdict.created_utc.year == 2026
    cell.end()


def test_poses_that_come_while_large_frames_are_copied_are_late_or_missing(tmp_path: Path) -> None:
    """12 Mpx take a busy machine 0.2 s: 25 poses long, and longer than a frame waits for poses."""
    cell = SteppedCell(tmp_path, Script())
    cell.cameras.copy_ns = 190 * MS
    cell.start_job()
    for _ in range(3):
        cell.expose()
        cell.run_for(0.2)
    verdict = stop(cell)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    cell.end()


def test_poses_that_come_faster_than_a_busy_service_turns_pile_up(tmp_path: Path) -> None:
    """125 a second, and 60 turns: taken one a turn they would soon be a second old."""
    cell = SteppedCell(tmp_path, Script())
    cell.start_job()
    cell.turn_ns, end_ns = 16 * MS, cell.time.now_ns + 500 * MS
    cell.until(lambda: cell.time.now_ns > end_ns, "half a second")
    assert len(cell.sockets.sent) <= 2
    cell.end()


def test_a_service_that_is_busy_for_long_takes_the_robots_clock_for_stepped(tmp_path: Path) -> None:
    """Other programs of the box: for a second no turn ends within the 5 ms that one pose of eight
    must keep, and each pose looks so late."""
    cell = SteppedCell(tmp_path, Script())
    cell.start_job()
    cell.expose()
    for _ in range(2):
        be_busy(cell, 1000 * MS)
        cell.expose()
    verdict = stop(cell)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    cell.end()


@pytest.mark.parametrize("deadline_ms", [1_200, 30_000, 600_000])
def test_verdict_comes_just_before_the_deadline_however_long_it_is(
    tmp_path: Path, deadline_ms: int
) -> None:
    job = {"deadline_ms": deadline_ms}
    cell = SteppedCell(tmp_path, Script(add_s=10_000), job=job, sockets=QUIET)
    cell.start_job()
    expose(cell)
    cell.stop_poses()
    cell.send(StopJob, job_id="job-1")
    cell.until(lambda: cell.published("verdict"), "the verdict", within_s=deadline_ms / 1000)
    reply = cell.reply()
    assert isinstance(reply, ResultReply)
    assert reasons(reply.result) == {Reason.DEADLINE}
    assert deadline_ms - 25 < reply.result.timing_ms["job"] < deadline_ms
    cell.end()


def test_missing_view_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    cell = SteppedCell(tmp_path, job={"late_frame_ms": 3_000})
    cell.start_job()
    expose(cell, 2)
    begun_ns = cell.time.now_ns
    assert Reason.MISSING_VIEW in reasons(stop(cell))
    assert 3_000 * MS <= cell.time.now_ns - begun_ns < 3_010 * MS
    cell.start_job("job-2")
    expose(cell, 2)
    cell.send(StopJob, job_id="job-2")
    cell.run_for(2.9)
    expose(cell, 1)  # just in time
    reply = cell.reply()
    assert isinstance(reply, ResultReply)
    assert reply.result.outcome is Outcome.PASS
    cell.end()


def test_frame_exposed_before_the_job_is_not_believed(
    tmp_path: Path,
) -> None:
    cell = SteppedCell(tmp_path)
    cell.start_job()
    expose(cell)
    assert stop(cell).outcome is Outcome.PASS  # the camera's clock is known now
    assert opened(cell) is None
    cell.expose(age_ns=10 * MS)
    verdict = stop(cell, "job-2")
    details = [reason.detail for reason in verdict.reasons]
    assert any("may show the part before" in detail for detail in details), details
    assert not verdict.views
    cell.end()


# --- what hangs ----------------------------------------------------------------------------------


def test_camera_that_does_not_drain_costs_the_start_and_not_the_cell(tmp_path: Path) -> None:
    cell = SteppedCell(tmp_path)
    cell.cameras.drains = False
    begun_ns = cell.time.now_ns
    assert opened(cell) is RefusalCode.CAMERA_LOST
    assert ARM_NS < cell.time.now_ns - begun_ns < ARM_NS + 20 * MS
    cell.cameras.drains = True
    assert opened(cell) is None
    cell.end()


def test_a_cell_with_a_dead_camera_is_ready(tmp_path: Path) -> None:
    """Until it streams again no job starts, and everybody hears which camera it is."""
    cell = SteppedCell(tmp_path)
    assert [each.standing for each in cell.get_state().cameras] == [CameraStanding.STREAMING]
    cell.cameras.phase, cell.cameras.detail = Phase.DOWN, "camera cam0 lost: link is lost"
    cell.until(lambda: cell.state() is State.PREOPERATIONAL, "PREOPERATIONAL")
    (told,) = cell.get_state().cameras
    assert (told.name, told.standing) == ("cam0", CameraStanding.LOST)
    assert "link is lost" in told.detail
    assert opened(cell) is RefusalCode.CAMERA_LOST
    cell.run_for(1.0)
    beats = [said for topic, said in cell.sockets.heard if topic.startswith("heartbeat")]
    assert beats[-1]["state"] == "PREOPERATIONAL"
    assert beats[-1]["cameras"][0]["standing"] == "lost"
    cell.cameras.phase = Phase.RUNNING
    cell.until(lambda: cell.state() is State.READY, "READY")
    assert opened(cell) is None
    cell.end()


def test_a_camera_that_is_lost_in_mid_job_takes_the_verdict_with_it(tmp_path: Path) -> None:
    cell = SteppedCell(tmp_path)
    cell.start_job()
    expose(cell)
    cell.cameras.lose("exit status 1")
    cell.cameras.phase = Phase.DOWN
    verdict = stop(cell)
    assert Reason.CAMERA_LOST in reasons(verdict)
    cell.until(lambda: cell.state() is State.PREOPERATIONAL, "PREOPERATIONAL")
    cell.end()


def test_a_camera_that_is_switched_on_after_the_box_needs_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = SteppedCell(tmp_path, sockets=QUIET)
    cell.stop_poses()
    cell.end()
    cell.start()
    cell.cameras.give_up("sees the serial numbers of no camera")
    tries: list[int] = []
    monkeypatch.setattr(cell.cameras, "reset", tries.append)  # it fails again each time
    cell.run_for(120.0)
    assert cell.state() is State.PREOPERATIONAL
    assert len(tries) > 10
    (told,) = cell.get_state().cameras
    assert "no camera" in told.detail
    cell.cameras.phase = Phase.RUNNING
    cell.until(lambda: cell.state() is State.READY, "READY")
    cell.cameras.phase = Phase.GIVEN_UP  # in service as before
    cell.until(lambda: cell.state() is State.ERROR, "ERROR")
    cell.end()


def test_camera_given_up_in_mid_job_leaves_nobody_waiting(tmp_path: Path) -> None:
    cell = SteppedCell(tmp_path, job={"late_frame_ms": 5_000})
    cell.start_job()
    cell.expose()
    begun_ns = cell.time.now_ns
    cell.send(StopJob, job_id="job-1")
    cell.cameras.give_up("exit status 1, 5 times in 60 s")
    reply = cell.reply()
    assert isinstance(reply, ResultReply)
    assert (reply.state, reasons(reply.result)) == (State.ERROR, {Reason.CAMERA_LOST})
    assert cell.time.now_ns - begun_ns < 200 * MS
    assert opened(cell) is RefusalCode.WRONG_STATE
    assert isinstance(cell.ask(Reset), Done)
    cell.until(lambda: cell.state() is State.READY, "READY")
    assert opened(cell) is None
    cell.end()


def test_inspection_that_never_comes_back_stops_the_line_after_its_patience(
    tmp_path: Path,
) -> None:
    cell = SteppedCell(tmp_path, Script(add_s=10_000))
    cell.start_job()
    cell.expose()
    cell.run_for(0.1)
    cell.ask(Abort)
    cell.run_for(HANG_NS / 1e9 - 0.1)
    assert cell.state() is State.READY
    cell.run_for(0.2)
    assert cell.state() is State.ERROR
    assert "still busy with a job" in cell.published("heartbeat")[-1]["error"]
    cell.end()


@pytest.mark.parametrize("raise_in", ["add", "add!"])
def test_engine_that_breaks_ends_the_job_and_asks_for_a_reset(
    tmp_path: Path, raise_in: str
) -> None:
    cell = SteppedCell(tmp_path, Script(raise_in=raise_in))
    cell.start_job()
    cell.expose()
    assert Reason.ENGINE_FAILED in reasons(stop(cell))
    assert cell.state() is State.ERROR
    assert opened(cell) is RefusalCode.WRONG_STATE
    assert isinstance(cell.ask(Reset), Done)
    cell.until(lambda: cell.state() is State.READY, "READY")  # loaded and proven again
    cell.end()


def test_recipe_that_expires_while_it_serves_starts_no_further_job(tmp_path: Path) -> None:
    until = datetime(2026, 1, 1, 1, tzinfo=timezone.utc)
    cell = SteppedCell(tmp_path, Script(not_after_utc=until))
    assert opened(cell) is None
    cell.ask(Abort)
    cell.time.wall_offset += timedelta(hours=1)
    reply = cell.ask(StartJob, job_id="job-3", part_id="p")
    assert isinstance(reply, Refused)
    assert reply.code is RefusalCode.RECIPE_FAILED
    assert "expired" in reply.detail
    cell.end()


def test_a_clock_that_is_set_back_revives_an_expired_signature(tmp_path: Path) -> None:
    until = datetime(2026, 1, 1, 1, tzinfo=timezone.utc)
    cell = SteppedCell(tmp_path, Script(not_after_utc=until))
    assert opened(cell) is None
    cell.time.wall_offset += timedelta(hours=2)
    cell.ask(Abort)  # the journal knows what time it was
    cell.time.wall_offset -= timedelta(days=400)
    reply = cell.ask(StartJob, job_id="job-3", part_id="p")
    assert isinstance(reply, Refused)
    assert reply.code is RefusalCode.RECIPE_FAILED
    assert "expired" in reply.detail
    cell.end()


# --- what others hear ----------------------------------------------------------------------------


def test_heartbeats_come_at_their_pace_while_everything_else_happens(tmp_path: Path) -> None:
    cell = SteppedCell(tmp_path, Script(add_s=0.5))
    cell.start_job()
    expose(cell)
    cell.run_for(10)
    beats = cell.published("heartbeat")
    stamps = [beat["t_host_ns"] for beat in beats]
    gaps_ms = {(later - sooner) // MS for sooner, later in itertools.pairwise(stamps)}
    assert gaps_ms <= {50, 51}  # zmq's sleep is rounded up to a millisecond
    assert [beat["seq"] for beat in beats] == list(range(len(beats)))
    cell.end()
    assert cell.published("heartbeat")[-1]["state"] == "HALTED"


def test_verdict_nobody_acknowledged_is_said_again_at_its_period(tmp_path: Path) -> None:
    job = {"reoffer_ms": 60_000, "reoffer_times": 3}
    cell = SteppedCell(tmp_path, job=job, sockets=QUIET)
    cell.start_job()
    cell.stop_poses()
    cell.ask(Abort)
    decided_ns = cell.time.now_ns
    cell.run_for(130)
    offers = cell.published("offer")
    assert [offer["offered"] for offer in offers] == [2, 3]
    assert [round((o["t_host_ns"] - decided_ns) / 1e9) for o in offers] == [60, 120]
    (verdict,) = cell.published("verdict")
    assert [offer["result"] for offer in offers] == [verdict, verdict]
    cell.ask(Acknowledge, result_id=verdict["result_id"])
    cell.run_for(130)
    assert len(cell.published("offer")) == 2
    cell.end()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield systemd


def heard(systemd: socket.socket, cell: SteppedCell, seconds: float) -> list[str]:
    """What systemd is told within so long a time."""
    lines: list[str] = []
    for _ in range(round(seconds)):
        cell.run_for(1)
        with contextlib.suppress(BlockingIOError):
            while True:
                lines += systemd.recv(4096).decode().splitlines()
    return lines


def test_watchdog_starves_when_an_inspection_stands_still(
    tmp_path: Path, systemd: socket.socket
) -> None:
    job = {"deadline_ms": 600_000}
    cell = SteppedCell(tmp_path, Script(add_s=10_000), job=job, sockets=QUIET)
    cell.start_job()
    cell.expose()
    patience_s = INSPECTION_PATIENCE_NS / 1e9
    cell.run_for(0.1)
    cell.stop_poses()
    assert heard(systemd, cell, patience_s - 2).count("WATCHDOG=1") >= patience_s - 4
    heard(systemd, cell, 4)
    told = heard(systemd, cell, 10)
    assert "WATCHDOG=1" not in told
    assert any("no progress: inspection for 6" in line for line in told)
    cell.end()
