"""The service as a real process on real sockets: whatever breaks, a job has exactly one verdict."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil
import pytest
import zmq

from tests.kits.cell_kit import (
    CLOCK_REASONS,
    PATIENCE_S,
    ServiceProcess,
    until,
    with_cameras,
    write_cell,
)
from tests.kits.good_part import (
    is_good,
    is_good_unstopped,
    own_reasons,
    passes_next,
    reasons,
    stop,
)
from tests.kits.own_traces import named_memory
from tests.kits.robot_kit import COLD_CLOCK_S, Robot
from tests.kits.scripted_cell import Script
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.commands import (
    Abort,
    Acknowledge,
    GetResult,
    GetState,
    PrepareRecipe,
    Reset,
    StartJob,
    StopJob,
)
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import (
    Done,
    RefusalCode,
    Refused,
    Reply,
    ResultReply,
    StateReply,
    parse_reply,
)
from voxgate.runtime.wire.verdict import VerdictMessage

Serve = Callable[..., AbstractContextManager[tuple[ServiceProcess, Robot]]]


@contextlib.contextmanager
def serving(
    folder: Path, script: Script | None = None, **changes: dict[str, Any]
) -> Iterator[tuple[ServiceProcess, Robot]]:
    """A service in READY and a robot that sends poses."""
    with serving_cell(write_cell(folder, **changes), script) as served:
        yield served


@contextlib.contextmanager
def serving_cell(
    cell: Path, script: Script | None = None
) -> Iterator[tuple[ServiceProcess, Robot]]:
    """As `serving`, with a YAML that is there."""
    service = ServiceProcess(cell, script or Script()).start()
    try:
        with Robot(cell.parent) as robot:
            robot.send_poses()
            robot.wait_for(State.READY)
            robot.send_poses_for_a_while()
            yield service, robot
    except AssertionError:
        print(service.log.read_text())  # noqa: T201 (pytest shows it with the failure)
        raise
    finally:
        service.kill_if_left()


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[ServiceProcess, Path]]:
    """One service for all tests that leave it as it was."""
    path = Path(tempfile.mkdtemp(prefix="vg-"))
    with serving(path, job={"late_frame_ms": 250}) as (service, robot):
        robot.stop_poses()  # each test has a robot of its own
        yield service, path
        assert service.end(signal.SIGTERM) == 0
    shutil.rmtree(path)


@pytest.fixture
def robot(shared: tuple[ServiceProcess, Path]) -> Iterator[Robot]:
    """A robot of its own at the shared service; leaves it READY."""
    with Robot(shared[1]) as robot:
        robot.send_poses()
        robot.wait_for(State.READY)
        robot.send_poses_for_a_while()
        until(lambda: robot.published("heartbeat"), "the first heartbeat")
        yield robot
        if robot.state() is State.EXECUTING:
            robot.ask(Abort)
        assert robot.state() is State.READY


_job_numbers = itertools.count()


def new_job(robot: Robot) -> str:
    """Start a job of a name never used before."""
    job_id = f"job-{os.getpid()}-{next(_job_numbers)}"
    robot.start_job(job_id)
    return job_id


def refused(reply: Reply) -> RefusalCode:
    assert isinstance(reply, Refused), reply
    return reply.code


def heard_verdicts(robot: Robot, job_id: str) -> list[dict[str, Any]]:
    return [v for v in robot.published("verdict") if v["job_id"] == job_id]


# --- a job as it should be ---------------------------------------------------------------------


def test_reply_publication_and_record_are_the_same_verdict(robot: Robot) -> None:
    verdict = passes_next(robot, f"good-{os.getpid()}")
    assert [view.frame_id for view in verdict.views] == [
        *range(robot.exposed - 2, robot.exposed + 1)
    ]
    (heard,) = until(lambda: heard_verdicts(robot, verdict.job_id), "the published verdict")
    assert VerdictMessage.model_validate_json(json.dumps(heard)) == verdict
    again = robot.ask(GetResult, job_id=verdict.job_id)
    assert isinstance(again, ResultReply)
    assert again.result == verdict
    assert isinstance(robot.ask(Acknowledge, result_id=verdict.result_id), Done)


def test_job_ends_by_itself_and_a_late_stop_hears_the_verdict(robot: Robot) -> None:
    def passes_by_itself() -> bool:
        job_id = new_job(robot)
        for _ in range(3):
            robot.expose()
        until(lambda: heard_verdicts(robot, job_id), "the verdict without stop_job")
        verdict = stop(robot, job_id)
        assert is_good_unstopped(verdict), reasons(verdict)
        assert len(heard_verdicts(robot, job_id)) == 1
        return verdict.outcome is Outcome.PASS

    until(passes_by_itself, "a good part that passes without stop_job")


def test_heartbeats_count_and_tell_the_state(robot: Robot) -> None:
    until(lambda: len(robot.published("heartbeat")) > 3, "four heartbeats")
    beats = robot.published("heartbeat")
    assert [b["seq"] for b in beats] == list(range(beats[0]["seq"], beats[-1]["seq"] + 1))
    assert beats[-1]["state"] == "READY"
    assert beats[-1]["recipe"] == "bracket/1"


def test_frames_from_before_the_job_are_not_taken_into_it(robot: Robot) -> None:
    def holds_its_own_three() -> bool:
        for _ in range(3):
            robot.expose()
        job_id = new_job(robot)
        own = [robot.expose() for _ in range(3)]
        taken = [view.frame_id for view in stop(robot, job_id).views]
        assert set(taken) <= set(own)  # a machine that stalls may cost a view, never add one
        return taken == own

    until(holds_its_own_three, "a job of its own three frames")


def test_frame_that_was_on_its_way_when_the_job_began_is_not_believed(robot: Robot) -> None:
    passes_next(robot, f"good-{os.getpid()}")  # the camera's clock is known now
    job_id = new_job(robot)
    robot.expose(age_ns=int(COLD_CLOCK_S * 1e9) + 45_000_000)
    verdict = stop(robot, job_id)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert reasons(verdict) & {Reason.FRAME_INVALID, Reason.CLOCK_UNSYNCED}
    assert not verdict.views


def test_req_socket_is_served_as_well(robot: Robot, shared: tuple[ServiceProcess, Path]) -> None:
    with zmq.Context() as context, context.socket(zmq.REQ) as request:
        request.connect(f"ipc://{shared[1]}/commands")
        request.send(GetState(request_id="q").to_json())
        reply = parse_reply(request.recv())
    assert reply.request_id == "q"
    assert isinstance(reply, StateReply)


# --- commands that are refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        (b"",),
        (b"\xff\xfe",),
        (b"{}",),
        (b"[]",),
        (b"null",),
        (b'{"command": "reset"}',),
        (b'{"command": "explode", "request_id": "r"}',),
        (b'{"command": "abort", "request_id": "r", "now": true}',),
        (b"[" * 4000,),
        (b" " * 60_000,),
        (b"{}", b"{}"),
        (b"", b"", b""),
    ],
)
def test_malformed_command_is_answered_and_harms_nobody(
    robot: Robot, parts: tuple[bytes, ...]
) -> None:
    robot.send_raw(*parts)
    assert refused(robot.reply()) is RefusalCode.MALFORMED
    assert robot.state() is State.READY


def test_giant_message_costs_its_sender_the_line_and_nobody_else(
    robot: Robot, shared: tuple[ServiceProcess, Path]
) -> None:
    with Robot(shared[1]) as vandal:
        vandal.send_raw(b"x" * 10_000_000)
        assert robot.state() is State.READY


def test_commands_out_of_turn_are_refused_by_name(robot: Robot) -> None:
    start = {"part_id": "part-1"}
    assert refused(robot.ask(StopJob, job_id="never")) is RefusalCode.UNKNOWN_JOB
    assert refused(robot.ask(GetResult, job_id="never")) is RefusalCode.UNKNOWN_JOB
    assert refused(robot.ask(Abort)) is RefusalCode.WRONG_STATE
    assert refused(robot.ask(Reset)) is RefusalCode.WRONG_STATE
    assert refused(robot.ask(Acknowledge, result_id="never")) is RefusalCode.UNKNOWN_RESULT
    other = robot.ask(StartJob, job_id="j", recipe="gear", **start)
    assert refused(other) is RefusalCode.RECIPE_MISMATCH
    job_id = new_job(robot)
    assert refused(robot.ask(StartJob, job_id="k", **start)) is RefusalCode.WRONG_STATE
    assert refused(robot.ask(StopJob, job_id="k")) is RefusalCode.UNKNOWN_JOB
    assert refused(robot.ask(GetResult, job_id=job_id)) is RefusalCode.NOT_DECIDED
    robot.ask(Abort)
    assert refused(robot.ask(StartJob, job_id=job_id, **start)) is RefusalCode.DUPLICATE_JOB


# --- jobs that go wrong --------------------------------------------------------------------------


def test_aborted_job_is_indeterminate(robot: Robot) -> None:
    job_id = new_job(robot)
    reply = robot.ask(Abort)
    assert isinstance(reply, ResultReply)
    assert reply.result.job_id == job_id
    assert reply.result.outcome is Outcome.INDETERMINATE
    assert own_reasons(reply.result) == {Reason.ABORTED}


def test_missing_view_is_indeterminate_soon_after_stop(robot: Robot) -> None:
    job_id = new_job(robot)
    robot.expose()
    verdict = stop(robot, job_id)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.MISSING_VIEW in reasons(verdict)


def test_frame_without_poses_is_indeterminate(robot: Robot) -> None:
    """Missing they are told to be once the pose before the silence came in time."""

    def missing() -> bool:
        robot.stop_poses()
        job_id = new_job(robot)
        for _ in range(3):
            robot.expose()
        verdict = stop(robot, job_id)
        assert verdict.outcome is Outcome.INDETERMINATE
        assert reasons(verdict) <= CLOCK_REASONS
        robot.send_poses()
        robot.send_poses_for_a_while()
        return Reason.POSE_MISSING in reasons(verdict)

    until(missing, "a frame without poses")


def test_dead_camera_is_indeterminate_and_replaced(
    robot: Robot, shared: tuple[ServiceProcess, Path]
) -> None:
    job_id = new_job(robot)
    robot.expose()
    (camera,) = psutil.Process(shared[0].pid).children()
    camera.kill()
    until(lambda: robot.published("fault"), "the fault")
    verdict = stop(robot, job_id)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.CAMERA_LOST in reasons(verdict)

    def started() -> bool:
        reply = robot.ask(StartJob, job_id=f"{job_id}-next", part_id="part-1")
        return isinstance(reply, Done)

    until(started, "a job on the new camera worker")
    time.sleep(COLD_CLOCK_S)
    with Robot(shared[1]) as sender:  # the old one would find the new worker too late
        for _ in range(3):
            sender.expose()
        (heard,) = until(lambda: heard_verdicts(robot, f"{job_id}-next"), "the verdict")
    assert is_good_unstopped(VerdictMessage.model_validate_json(json.dumps(heard)))


def test_defective_part_fails_with_its_defects(folder: Path) -> None:
    with serving(folder, Script(outcome=Outcome.FAIL)) as (_, robot):
        robot.start_job("job-1")
        for _ in range(3):
            robot.expose()
        verdict = stop(robot, "job-1")
        assert verdict.outcome is Outcome.FAIL
        assert verdict.defects[0].centroid_base_mm == (4, 5, 6)


@pytest.mark.nightly  # by day on a clock that the test turns: tests/runtime/service
def test_slow_inspector_is_indeterminate_inside_the_deadline(folder: Path) -> None:
    with serving(folder, Script(add_s=0.8), job={"deadline_ms": 1500}) as (_, robot):
        begun = time.monotonic()
        robot.start_job("job-1")
        for _ in range(3):
            robot.expose()
        verdict = stop(robot, "job-1")
        assert own_reasons(verdict) == {Reason.DEADLINE}
        assert verdict.timing_ms["job"] < 1500
        assert time.monotonic() - begun > 1.0
        # the thread comes free again, and the next part gets its own verdict
        robot.start_job("job-2")
        assert robot.ask(Abort)
        until(lambda: len(robot.published("verdict")) == 2, "two verdicts, one per job")


@pytest.mark.nightly  # by day on a clock that the test turns: tests/runtime/service
@pytest.mark.parametrize("raise_in", ["add", "add!"])
def test_engine_that_breaks_ends_the_job_and_asks_for_a_reset(folder: Path, raise_in: str) -> None:
    with serving(folder, Script(raise_in=raise_in)) as (_, robot):
        robot.start_job("job-1")
        robot.expose()
        verdict = stop(robot, "job-1")
        assert Reason.ENGINE_FAILED in reasons(verdict)
        assert robot.state() is State.ERROR
        start = robot.ask(StartJob, job_id="job-2", part_id="p")
        assert refused(start) is RefusalCode.WRONG_STATE
        assert isinstance(robot.ask(Reset), Done)
        robot.wait_for(State.READY)  # the recipe was loaded and proven again


# --- what systemd hears --------------------------------------------------------------------------


def test_systemd_hears_of_readiness_progress_and_the_last_verdict(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
    with _systemd(folder / "notify") as told, serving(folder) as (service, robot):
        heard = _hear_until(told, "READY=1")
        assert not any("READY: bracket" in line for line in heard)
        robot.start_job("job-1")
        for _ in range(3):
            robot.expose()
        last = stop(robot, "job-1").outcome.value
        _hear_until(told, f"STATUS=READY: bracket/1 on scripted, 1 jobs, the last {last}")
        _hear_until(told, "WATCHDOG=1")
        assert service.end(signal.SIGTERM) == 0
        _hear_until(told, "STOPPING=1")


@contextlib.contextmanager
def _systemd(place: Path) -> Iterator[SimpleQueue[str]]:
    """Takes every line as it comes: after ten that nobody takes, Linux lets the sender wait."""
    told: SimpleQueue[str] = SimpleQueue()

    def listen() -> None:
        while message := systemd.recv(4096).decode():
            for line in message.splitlines():
                told.put(line)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(place))
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield told
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", str(place))
            listener.join()


def _hear_until(told: SimpleQueue[str], line: str) -> list[str]:
    """Every line up to this one; fails when it does not come."""
    heard = [told.get(timeout=PATIENCE_S)]
    while heard[-1] != line:
        heard.append(told.get(timeout=PATIENCE_S))
    return heard


# --- recipes -------------------------------------------------------------------------------------


@pytest.mark.nightly  # by day on a clock that the test turns: tests/runtime/service
def test_recipe_that_expires_while_it_serves_starts_no_further_job(folder: Path) -> None:
    gone = datetime.now(tz=timezone.utc) - timedelta(seconds=1)
    with serving(folder, Script(not_after_utc=gone)) as (service, robot):
        reply = robot.ask(StartJob, job_id="job-1", part_id="part-1")
        assert refused(reply) is RefusalCode.RECIPE_FAILED
        assert "expired" in str(reply)
        assert service.end(signal.SIGTERM) == 0


def test_recipe_that_fails_its_probe_never_gets_ready(folder: Path) -> None:
    service = ServiceProcess(write_cell(folder), Script(raise_in="prepare")).start()
    try:
        with Robot(folder) as robot:
            robot.wait_for(State.INITIALIZED)
            reply = robot.ask(PrepareRecipe, recipe="bracket")
            assert refused(reply) is RefusalCode.RECIPE_FAILED
            assert "off by 0.5" in reply.detail  # type: ignore[union-attr]
            state = robot.ask(GetState)
            assert isinstance(state, StateReply)
            assert (state.state, state.recipe) == (State.INITIALIZED, None)
            assert "off by 0.5" in (state.error or "")
            start = robot.ask(StartJob, job_id="job-1", part_id="p")
            assert refused(start) is RefusalCode.WRONG_STATE
        assert service.end(signal.SIGTERM) == 0
    finally:
        service.kill_if_left()


# --- the end of the process ----------------------------------------------------------------------


def test_sigterm_declares_the_job_and_leaves_nothing_behind(folder: Path) -> None:
    with serving(folder) as (service, robot):
        robot.start_job("job-1")
        robot.expose()
        robot.send(StopJob, job_id="job-1")
        children = psutil.Process(service.pid).children(recursive=True)
        assert children
        assert not any(map(named_memory, (service.pid, *(child.pid for child in children))))
        assert service.end(signal.SIGTERM) == 0
        reply = robot.reply()
        assert isinstance(reply, ResultReply)
        assert reasons(reply.result) & {Reason.SHUTDOWN, Reason.MISSING_VIEW}
        (heard,) = until(lambda: heard_verdicts(robot, "job-1"), "the published verdict")
        assert heard["outcome"] == "INDETERMINATE"
        assert robot.published("heartbeat")[-1]["state"] == "HALTED"
        assert not [child for child in children if child.is_running()]
        assert not [file.name for file in folder.iterdir() if file.is_socket()]
        assert rows(folder) == {"job-1": "INDETERMINATE"}


def test_sigterm_waits_for_a_verdict_that_is_being_made(folder: Path) -> None:
    begun = folder / "finish-began"
    with serving(folder, Script(finish_s=0.4, finish_file=str(begun))) as (service, robot):
        robot.start_job("job-1")
        for _ in range(3):
            robot.expose()
        robot.send(StopJob, job_id="job-1")
        until(begun.exists, "the inspector's finish()")
        assert service.end(signal.SIGTERM) == 0
        reply = robot.reply()
        assert isinstance(reply, ResultReply)
        assert is_good(reply.result)
        assert rows(folder) == {"job-1": reply.result.outcome.value}


def test_sigterm_while_a_recipe_loads_ends_the_process(folder: Path) -> None:
    service = ServiceProcess(write_cell(folder), Script(prepare_s=1.0)).start()
    try:
        with Robot(folder) as robot:
            robot.send(PrepareRecipe, recipe="bracket")
            assert refused(robot.reply()) is RefusalCode.BUSY
        assert service.end(signal.SIGTERM) == 0
    finally:
        service.kill_if_left()


@pytest.mark.parametrize("moment", [pytest.param("stopped", marks=pytest.mark.nightly), "decided"])
def test_job_has_exactly_one_verdict_across_kill_9(folder: Path, moment: str) -> None:
    with serving(folder, job={"late_frame_ms": 1000}) as (service, robot):
        robot.start_job("job-1")
        robot.expose()
        robot.send(StopJob, job_id="job-1")
        before = robot.reply() if moment == "decided" else None
        service.end(signal.SIGKILL)
    with serving(folder) as (service, robot):
        reply = robot.ask(GetResult, job_id="job-1")
        assert isinstance(reply, ResultReply)
        assert reply.result.outcome is Outcome.INDETERMINATE
        if isinstance(before, ResultReply):
            assert reply.result == before.result
        else:
            assert own_reasons(reply.result) == {Reason.CRASHED}
        again = robot.ask(StartJob, job_id="job-1", part_id="p")
        assert refused(again) is RefusalCode.DUPLICATE_JOB
        assert service.end(signal.SIGTERM) == 0
        assert len(rows(folder)) == 1


def rows(folder: Path) -> dict[str, str]:
    """job_id -> outcome as journalled; one row per job, or it fails."""
    journal = sqlite3.connect(folder / "journal.sqlite")
    found = journal.execute(
        "SELECT jobs.job_id, outcome FROM jobs LEFT JOIN results USING (job_id)"
    ).fetchall()
    journal.close()
    outcomes = dict(found)
    assert len(outcomes) == len(found)
    return outcomes


# --- what carries the service breaks -------------------------------------------------------------


def test_verdict_that_cannot_be_journalled_is_not_pass(folder: Path) -> None:
    with serving(folder) as (service, robot):
        robot.start_job("job-1")
        other = sqlite3.connect(folder / "journal.sqlite")
        other.execute("BEGIN IMMEDIATE")  # a person's shell that was left open
        for _ in range(3):
            robot.expose()
        verdict = stop(robot, "job-1")
        assert verdict.outcome is Outcome.INDETERMINATE
        assert own_reasons(verdict) == {Reason.JOURNAL_FAILED}
        assert robot.state() is State.ERROR
        again = robot.ask(GetResult, job_id="job-1")
        assert isinstance(again, ResultReply)
        assert again.result == verdict
        assert refused(robot.ask(Reset)) is RefusalCode.WRONG_STATE  # still locked
        other.rollback()
        other.close()
        assert isinstance(robot.ask(Reset), Done)
        robot.wait_for(State.READY)
        assert len(heard_verdicts(robot, "job-1")) == 1
        assert service.end(signal.SIGTERM) == 0
        assert rows(folder) == {"job-1": "INDETERMINATE"}


def test_journal_that_breaks_in_mid_job_leaves_nobody_waiting(folder: Path) -> None:
    with serving(folder, job={"late_frame_ms": 5000}) as (_, robot), Robot(folder) as other:
        passes_next(robot, "job-0")
        before = robot.published("verdict")[-1]["result_id"]
        robot.start_job("job-1")
        robot.send(StopJob, job_id="job-1")  # waits for views that do not come
        lock = sqlite3.connect(folder / "journal.sqlite")
        lock.execute("BEGIN IMMEDIATE")
        told = other.ask(Acknowledge, result_id=before)
        assert refused(told) is RefusalCode.JOURNAL_FAILED
        reply = robot.reply()
        assert isinstance(reply, ResultReply)
        assert (reply.result.job_id, reply.state) == ("job-1", State.ERROR)
        assert reply.result.outcome is Outcome.INDETERMINATE
        assert own_reasons(reply.result) == {Reason.JOURNAL_FAILED}
        start = robot.ask(StartJob, job_id="job-2", part_id="p")
        assert refused(start) is RefusalCode.WRONG_STATE
        lock.rollback()
        lock.close()
        assert isinstance(robot.ask(Reset), Done)
        robot.wait_for(State.READY)
        passes_next(robot, "job-2")
        assert rows(folder)["job-1"] == "INDETERMINATE"


def test_camera_given_up_in_mid_job_leaves_nobody_waiting(folder: Path) -> None:
    cell = write_cell(folder, job={"late_frame_ms": 5000})
    with_cameras(cell, restarts=0)
    with serving_cell(cell) as (service, robot):
        robot.start_job("job-1")
        robot.expose()
        robot.send(StopJob, job_id="job-1")  # waits for views that do not come
        (camera,) = psutil.Process(service.pid).children()
        camera.kill()
        reply = robot.reply()
        assert isinstance(reply, ResultReply)
        assert (reply.result.job_id, reply.state) == ("job-1", State.ERROR)
        assert reply.result.outcome is Outcome.INDETERMINATE
        assert own_reasons(reply.result) == {Reason.CAMERA_LOST}  # at once, not after late_frame_ms
        start = robot.ask(StartJob, job_id="job-2", part_id="p")
        assert refused(start) is RefusalCode.WRONG_STATE
        assert isinstance(robot.ask(Reset), Done)
        robot.wait_for(State.READY)
        with Robot(folder) as sender:  # the old one would find the new worker too late
            robot.start_job("job-2")
            for _ in range(3):
                sender.expose()
            after = stop(robot, "job-2")
        assert is_good(after)
        assert rows(folder) == {"job-1": "INDETERMINATE", "job-2": after.outcome.value}


def test_job_that_cannot_be_journalled_does_not_start(folder: Path) -> None:
    with serving(folder) as (_, robot):
        other = sqlite3.connect(folder / "journal.sqlite")
        other.execute("BEGIN IMMEDIATE")
        reply = robot.ask(StartJob, job_id="job-1", part_id="p")
        assert refused(reply) is RefusalCode.JOURNAL_FAILED
        other.rollback()
        other.close()
        assert robot.state() is State.ERROR


def test_second_service_on_the_same_cell_is_refused_in_one_line(
    shared: tuple[ServiceProcess, Path],
) -> None:
    second = ServiceProcess(shared[0].config)
    second.start()
    assert second.process is not None
    assert second.process.wait(PATIENCE_S) == 2
    last = second.log.read_text().splitlines()[-1]
    assert "another voxgate serves this journal" in last


# --- long ones -----------------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_no_job_is_lost_or_doubled_over_200_kills(folder: Path) -> None:
    heard: dict[str, str] = {}
    for round_number in range(200):
        with serving(folder) as (service, robot):
            for number in range(3):
                job_id = f"job-{round_number}-{number}"
                robot.start_job(job_id)
                for _ in range(number):
                    robot.expose()
                robot.send(StopJob, job_id=job_id)
                if number < 2:
                    reply = robot.reply()
                    assert isinstance(reply, ResultReply)
                    heard[job_id] = reply.result.outcome.value
            time.sleep(
                0.013 * (round_number % 30)
            )  # the moment of the kill wanders over the decision
            service.end(signal.SIGKILL)
    with serving(folder) as (service, _):
        assert service.end(signal.SIGTERM) == 0
    journalled = rows(folder)
    assert len(journalled) == 600
    assert set(journalled.values()) == {"INDETERMINATE"}  # no job had all its views
    assert journalled.items() >= heard.items()


@pytest.mark.nightly
def test_memory_and_descriptors_stay_flat_over_500_jobs(folder: Path) -> None:
    with serving(folder) as (service, robot):
        process = psutil.Process(service.pid)
        seen = []
        for number in range(500):
            robot.start_job(f"job-{number}")
            for _ in range(3):
                robot.expose()
            stop(robot, f"job-{number}")
            if number % 100 == 99:
                seen.append((process.memory_info().rss, process.num_fds(), process.num_threads()))
        assert seen[-1][0] - seen[0][0] < 4_000_000  # SQLite's page cache fills up to 2 MB
        assert seen[-1][1:] == seen[0][1:]
