"""One table of faults and moments, run against the real service: no cell of it is PASS.

Every cell also asks for the rest of the promise: exactly one verdict, inside its deadline, on
record as it was heard, told again when asked for; and, where the fault can be mended, a good part
that passes afterwards. Faults of scans, detectors and calibrations are in test_line.py.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kits.cell_kit import ServiceProcess, until, with_cameras, write_cell
from tests.kits.fault_answers import check_answer
from tests.kits.fault_rows import (
    CAMERA,
    CARRIER,
    ENGINE,
    FRAMES,
    PLANNED,
    POSES,
    ROBOT,
    ROWS,
    End,
    Line,
    Row,
    When,
)
from tests.kits.needs import has
from tests.kits.repository import ROOT
from tests.kits.robot_kit import COLD_CLOCK_S, Robot
from tests.kits.scripted_cell import Script
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.commands import GetResult, Reset, StartJob, StopJob
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import Done, Refused, Reply, ResultReply
from voxgate.runtime.wire.verdict import VerdictMessage

CELLS = [(name, when) for name, row in ROWS.items() for when in row.expected]
FIRST = {name: next(iter(row.expected)) for name, row in ROWS.items()}
"""The moment that every run tries; the others are tried at night."""
BY_DAY = frozenset(
    (
        *("frame lost", "camera worker killed", "camera worker stopped", "poses silent"),
        *("engine breaks", "journal locked", "disk full", "wall clock set", "service killed"),
        *("power cut", "job given up"),
    )
)
"""Real rows that every run tries, some of each kind; the others are tried for real at night.

Those that need no process or file system of their own are all tried by day too, on a clock that
the test turns: tests/runtime/service/test_fault_table.py.
"""
QUICK = {"late_frame_ms": 100, "deadline_ms": 10_000}
DISK_MB = 6

_numbers = itertools.count()


def _job_id() -> str:
    return f"job-{os.getpid()}-{next(_numbers)}"


# --- the line ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _line(row: Row, when: When) -> Iterator[Line]:
    folder = Path(tempfile.mkdtemp(prefix="vg-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        changes = {**row.changes, "job": QUICK | row.changes.get("job", {})}
        if row.disk:
            stack.enter_context(_disk(folder))
            changes["journal"] = {"path": "disk/journal.sqlite"}
        cell = write_cell(folder, **changes)
        with_cameras(cell, **row.cameras)
        service = ServiceProcess(cell, _script(row, when, folder))
        if row.wall_clock:
            service.wrapped_in = _own_clock(folder, "wall_clock", "WALL_CLOCK_OFFSET", "offset", 8)
        if row.slewed:
            own = _own_clock(folder, "slewed_clock", "MONOTONIC_CLOCK_SLEW", "slew", 16)
            service.wrapped_in = own
        service.start()
        stack.callback(service.kill_if_left)
        robot = stack.enter_context(Robot(folder))
        robot.send_poses()
        robot.wait_for(State.READY)
        robot.send_poses_for_a_while()
        yield Line(folder, service, robot)


def _own_clock(folder: Path, source: str, variable: str, file: str, size: int) -> tuple[str, ...]:
    """A command that gives what it starts a clock which obeys `folder/file`, of so many bytes."""
    library, told = folder / f"{source}.so", folder / file
    if not has("cc"):
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    code = str(ROOT / f"tests/kits/c/{source}.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), code], check=True)
    told.write_bytes(bytes(size))
    return "env", f"LD_PRELOAD={library}", f"{variable}={told}"


def _script(row: Row, when: When, folder: Path) -> Script:
    script = row.script or Script()
    if when is not When.DECIDING:
        return script
    return script.model_copy(update={"finish_s": 0.4, "finish_file": str(folder / "deciding")})


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """A small ext4 of its own at `folder/disk`; skips where nobody may mount one."""
    image, place = folder / "disk.img", folder / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_MB << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, capture_output=True)
        mount = ["mount", "-o", "loop,errors=remount-ro", str(image), str(place)]
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs root, loop devices and mkfs.ext4: apt-get install e2fsprogs mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def shared() -> Iterator[Line]:
    """One line for the faults that can be mended."""
    with _line(ROWS["frame lost"], When.OPEN) as line:
        yield line
        assert line.service.end(signal.SIGTERM) == 0


@pytest.fixture
def line(request: pytest.FixtureRequest, name: str, when: When) -> Iterator[Line]:
    row = ROWS[name]
    own = (
        row.script
        or row.changes
        or row.cameras
        or row.disk
        or row.wall_clock
        or row.slewed
        or row.end is End.RESTART
    )
    if own or when is When.DECIDING:
        with _line(row, when) as alone:
            yield alone
    else:
        yield request.getfixturevalue("shared")


# --- one cell ------------------------------------------------------------------------------------


def _marks(name: str, when: When) -> tuple[pytest.MarkDecorator, ...]:
    every_run = when is FIRST[name] and name in BY_DAY
    return () if every_run else (pytest.mark.nightly,)


@pytest.mark.parametrize(
    ("name", "when"),
    [
        pytest.param(
            name,
            when,
            id=f"{name}-{when.value}",
            marks=_marks(name, when),
        )
        for name, when in CELLS
    ],
)
def test_no_cell_is_a_pass(line: Line, name: str, when: When) -> None:
    row = ROWS[name]
    try:
        answer = _play(line, row, when, _job_id())
        check_answer(answer, row.expected[when], real_time=True)
        if isinstance(answer, ResultReply):
            _check_one_verdict(line, row, answer.result)
    finally:
        while line.undo:
            line.undo.pop(0)()
    if row.mends:
        _passes(line)


def _play(line: Line, row: Row, when: When, job_id: str) -> Reply:
    """Play the job, commit the fault at its moment; the refusal, or the verdict."""
    if when is When.BEFORE:
        row.strike(line)
    started = line.robot.ask(StartJob, job_id=job_id, part_id="part")
    if isinstance(started, Refused):
        return started
    time.sleep(COLD_CLOCK_S)  # the arm travels, as in Robot.start_job
    exposed = {When.HALF: 1, When.DECIDING: PLANNED}.get(when, 0)
    _expose(line, exposed)
    if when is When.DECIDING:
        until((line.folder / "deciding").exists, "the decision")
    if when is not When.BEFORE:
        row.strike(line)
    return _end(line, row.end, job_id, PLANNED - exposed)


def _end(line: Line, end: End, job_id: str, others: int) -> Reply:
    """The job's answer, however it goes on."""
    if end is End.RESTART:
        return _after_restart(line, job_id)
    if end is End.SILENCE:
        until(lambda: _heard(line, job_id), "the verdict")
        return line.robot.ask(GetResult, job_id=job_id)
    if end is End.STOP:
        _expose(line, others)
    line.robot.send(StopJob, job_id=job_id)
    if end is End.LATE:
        until(lambda: _heard(line, job_id), "the verdict")
        _expose(line, others)
    return line.robot.reply()


def _expose(line: Line, count: int) -> None:
    for _ in range(count):
        line.robot.expose()


def _heard(line: Line, job_id: str) -> set[str]:
    """Results that were published for this job."""
    verdicts = line.robot.published("verdict")
    return {verdict["result_id"] for verdict in verdicts if verdict["job_id"] == job_id}


def _after_restart(line: Line, job_id: str) -> Reply:
    """As systemd does it, if the fault ended the process; get_result's answer."""
    process = line.service.process
    assert process is not None
    until(lambda: process.poll() is not None or _heard(line, job_id), "the end of it")
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(3)
    if process.poll() is None:  # it bore the fault: end it as a person would
        line.service.end(signal.SIGTERM)
    line.service.start()
    line.robot.wait_for(State.READY)
    line.robot.send_poses_for_a_while()
    return line.robot.ask(GetResult, job_id=job_id)


def _check_one_verdict(line: Line, row: Row, verdict: VerdictMessage) -> None:
    """Heard, on record and told again: the same, and in time."""
    assert _heard(line, verdict.job_id) <= {verdict.result_id}
    again = line.robot.ask(GetResult, job_id=verdict.job_id)
    assert isinstance(again, ResultReply), again
    assert again.result == verdict
    deadline_ms = (QUICK | row.changes.get("job", {}))["deadline_ms"]
    assert not row.in_time or verdict.timing_ms.get("job", 0.0) <= deadline_ms
    if row.wall_clock:  # or the fault was none
        assert abs(verdict.created_utc - utc_now()) > timedelta(hours=23)
    if Reason.JOURNAL_FAILED in {reason.reason for reason in verdict.reasons}:
        return  # nothing may be on record yet; service/test_service.py follows it to the end
    path = line.folder / ("disk" if row.disk else "") / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as journal:
        rows = journal.execute(
            "SELECT outcome FROM results WHERE job_id = ?", (verdict.job_id,)
        ).fetchall()
    assert rows == [(verdict.outcome.value,)]


def _passes(line: Line) -> None:
    """A good part is PASS again, once the clocks are believed again."""
    if line.robot.state() is State.ERROR:
        assert isinstance(line.robot.ask(Reset), Done)
    line.robot.wait_for(State.READY)

    def passes() -> bool:
        job_id = _job_id()
        reply = line.robot.ask(StartJob, job_id=job_id, part_id="part")
        if isinstance(reply, Refused):
            return False  # a camera is on its way back
        time.sleep(COLD_CLOCK_S)
        _expose(line, PLANNED)
        verdict = line.robot.ask(StopJob, job_id=job_id)
        assert isinstance(verdict, ResultReply), verdict
        return verdict.result.outcome is Outcome.PASS

    until(passes, "a good part that passes")


def test_every_moment_of_every_fault_has_its_cell() -> None:
    """The table is as wide as it says: each moment is tried by many faults."""
    for when in When:
        assert sum(when in row.expected for row in ROWS.values()) >= 5


@pytest.mark.parametrize("kind", [FRAMES, CAMERA, POSES, ENGINE, CARRIER, ROBOT])
def test_every_kind_of_fault_is_tried_for_real_by_day(kind: dict[str, Row]) -> None:
    assert BY_DAY & kind.keys()
