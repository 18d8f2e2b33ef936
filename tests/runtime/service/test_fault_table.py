"""Every fault that needs no process of its own, at every moment, on a clock that the test turns.

The rows are those of tests/line/cell, where one of each kind is tried against real processes by
day and all of them at night. What a fault does is said here again, for the stepped cell.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kits.cell_kit import HEIGHT_PX, WIDTH_PX
from tests.kits.fault_answers import check_answer
from tests.kits.fault_rows import (
    DAY_S,
    HALF_A_SECOND_NS,
    PLANNED,
    POSE,
    ROWS,
    End,
    Row,
    When,
)
from tests.kits.robot_kit import COLD_CLOCK_S, ROBOT_OFFSET_NS
from tests.kits.scripted_cell import Script
from tests.kits.stepped_cell import SteppedCell
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.records import journal
from voxgate.runtime.wire.commands import Abort, GetResult, Reset, StartJob, StopJob
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import Done, Refused, Reply, ResultReply
from voxgate.runtime.wire.verdict import VerdictMessage

QUICK = {"late_frame_ms": 100, "deadline_ms": 10_000}
Strike = Callable[[SteppedCell], None]

_numbers = itertools.count()


# --- what a fault does ---------------------------------------------------------------------------


def _nothing(cell: SteppedCell) -> None:
    """The fault is in the script, or in how the job ends."""


def _lose(cell: SteppedCell) -> None:
    cell.frame_id += 1


def _with_header(**header: Any) -> Strike:
    return lambda cell: cell.expose(**header)


def _twice(cell: SteppedCell) -> None:
    cell.expose(frame_id=cell.frame_id)


def _out_of_order(cell: SteppedCell) -> None:
    last = cell.frame_id
    cell.expose(frame_id=last + 2)
    cell.expose(frame_id=last + 1)
    cell.frame_id = last + 2


def _raw(*parts: bytes) -> Strike:
    return lambda cell: cell.cameras.receive(list(parts))


def _truncated(cell: SteppedCell) -> None:
    cell.frame_id += 1
    header = json.dumps(cell.frame_header(cell.time.now_ns)).encode()
    pixels = WIDTH_PX * HEIGHT_PX
    cell.cameras.receive([header, bytes(pixels), bytes(pixels)])  # half of the depth


def _silent(cell: SteppedCell) -> None:
    cell.stop_poses()
    cell.run_for(0.6)  # longer than sync.max_gap_ms
    cell.undo.append(cell.say_poses)


def _strange_pose(**change: Any) -> Strike:
    def strike(cell: SteppedCell) -> None:
        cell.sockets.sent.append(json.dumps(POSE | change).encode())
        cell.run_for(0.01)

    return strike


def _second_sender(**change: Any) -> Strike:
    """Another program of the same controller says some poses."""

    def strike(cell: SteppedCell) -> None:
        for _ in range(5):
            now_ns = cell.time.now_ns + ROBOT_OFFSET_NS
            pose = POSE | {"t_robot_ns": now_ns} | change
            cell.sockets.sent.append(json.dumps(pose).encode())
            cell.run_for(0.01)

    return strike


def _another_robot(cell: SteppedCell) -> None:
    """Its clock began elsewhere, its sequence numbers and places are its own."""
    for number in range(50):
        now_ns = cell.time.now_ns + 3 * ROBOT_OFFSET_NS
        pose = POSE | {"seq": 10**6 + number, "t_robot_ns": now_ns, "p_mm": [0, 0, 900]}
        cell.sockets.sent.append(json.dumps(pose).encode())
        cell.run_for(0.008)


def _step(attribute: str, by_ns: int) -> Strike:
    """Somebody sets a device's clock."""

    def strike(cell: SteppedCell) -> None:
        setattr(cell, attribute, getattr(cell, attribute) + by_ns)
        cell.run_for(0.1)  # some poses by the new time

    return strike


def _lock_journal(cell: SteppedCell) -> None:
    """A person's shell that was left open."""
    other = sqlite3.connect(cell.cell.config.journal.path)
    other.execute("BEGIN IMMEDIATE")
    cell.undo += [other.rollback, other.close]


def _slow_disk(cell: SteppedCell) -> None:
    cell.writing_takes_ns = 3 * HALF_A_SECOND_NS


def _set_wall_clock(by_s: int) -> Strike:
    def strike(cell: SteppedCell) -> None:
        cell.time.wall_offset += timedelta(seconds=by_s)

    return strike


def _suspend(cell: SteppedCell) -> None:
    """The machine sleeps, its clock with it; robot and camera go on."""
    cell.robot_offset_ns += 6 * HALF_A_SECOND_NS
    cell.camera_offset_ns += 6 * HALF_A_SECOND_NS
    cell.run_for(0.1)


def _abort(cell: SteppedCell) -> None:
    cell.ask(Abort)


def _second_job(cell: SteppedCell) -> None:
    reply = cell.ask(StartJob, job_id="second", part_id="p")
    assert isinstance(reply, Refused), reply


STRIKES: dict[str, Strike] = {
    "frame lost": _lose,
    "frame twice": _twice,
    "frames out of order": _out_of_order,
    "frame truncated": _truncated,
    "frame is garbage": _raw(b"\xff\x00garbage"),
    "frame has a part too many": _raw(b"{}", b"", b"", b""),
    "frame of another size": _with_header(width=10),
    "frame in another format": _with_header(pixel_format="Mono12"),
    "frame of another camera": _with_header(camera="cam9"),
    "frame without depth": _with_header(depth=None),
    "frame from before the job": _with_header(age_ns=10 * HALF_A_SECOND_NS),
    "frames come late": _nothing,
    "camera worker killed": lambda cell: cell.cameras.lose("SIGKILL"),
    "poses silent": _silent,
    "pose is not a number": _strange_pose(p_mm=[1, 2, float("nan")]),
    "pose is no rotation": _strange_pose(q_wxyz=[0, 0, 0, 0]),
    "pose is kilometres away": _strange_pose(p_mm=[1e6, 0, 0]),
    "poses of a second program": _second_sender(seq=10**6),
    "poses of a second program that has just begun": _second_sender(seq=0),
    "pose stamp set back": _second_sender(seq=10**6, t_robot_ns=ROBOT_OFFSET_NS),
    "poses of another robot": _another_robot,
    "camera clock set": _step("camera_offset_ns", HALF_A_SECOND_NS),
    "camera clock set back": _step("camera_offset_ns", -HALF_A_SECOND_NS),
    "robot clock set": _step("robot_offset_ns", HALF_A_SECOND_NS),
    "robot clock set back": _step("robot_offset_ns", -HALF_A_SECOND_NS),
    "engine gives NaN": _nothing,
    "engine breaks": _nothing,
    "engine has a fault": _nothing,
    "engine is late": _nothing,
    "verdict is late": _nothing,
    "engine too slow for the robot": _nothing,
    "recipe has expired": _nothing,
    "journal locked": _lock_journal,
    "disk slow": _slow_disk,
    "wall clock set": _set_wall_clock(DAY_S),
    "wall clock set back": _set_wall_clock(-DAY_S),
    "machine suspended": _suspend,
    "service killed": lambda cell: cell.kill(),
    "service told to end": lambda cell: cell.end(),
    "job given up": _abort,
    "robot vanishes before stop_job": _nothing,
    "two jobs at once": _second_job,
}
ONLY_REAL = {
    *("camera worker stopped", "camera worker out of memory"),
    *("disk full", "disk read-only", "memory exhausted", "power cut"),
    *("host clock slewed", "host clock slewed back", "machine stands still"),
}
"""Faults of processes and file systems."""
CELLS = [(name, when) for name in STRIKES for when in ROWS[name].expected]


# --- one cell ------------------------------------------------------------------------------------


@pytest.fixture
def cell(
    tmp_path: Path, name: str, when: When, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SteppedCell]:
    monkeypatch.setattr(journal, "BUSY_S", 0.0)  # nobody who holds the file lets go meanwhile
    row = ROWS[name]
    changes = {**row.changes, "job": QUICK | row.changes.get("job", {})}
    cell = SteppedCell(tmp_path, _script(row, when), **changes)
    yield cell
    cell.end()


def _script(row: Row, when: When) -> Script:
    script = row.script or Script()
    return script.model_copy(update={"finish_s": 0.4}) if when is When.DECIDING else script


@pytest.mark.parametrize(
    ("name", "when"),
    [pytest.param(name, when, id=f"{name}-{when.value}") for name, when in CELLS],
)
def test_no_cell_is_a_pass(cell: SteppedCell, name: str, when: When) -> None:
    row = ROWS[name]
    answer = _play(cell, name, when)
    check_answer(answer, row.expected[when])
    if isinstance(answer, ResultReply):
        _check_one_verdict(cell, row, answer.result)
    while cell.undo:
        cell.undo.pop(0)()
    if row.mends:
        _passes(cell)


def _play(cell: SteppedCell, name: str, when: When) -> Reply:
    """Play the job, commit the fault at its moment; the refusal, or the verdict."""
    strike, end = STRIKES[name], ROWS[name].end
    if when is When.BEFORE:
        strike(cell)
    started = cell.ask(StartJob, job_id="job-1", part_id="part")
    if isinstance(started, Refused):
        return started
    cell.run_for(COLD_CLOCK_S)  # the arm travels
    exposed = {When.HALF: 1, When.DECIDING: PLANNED}.get(when, 0)
    _expose(cell, exposed)
    if when is When.DECIDING:
        cell.until(_is_finishing(cell), "the decision")
    if when is not When.BEFORE:
        strike(cell)
    return _end(cell, end, PLANNED - exposed)


def _is_finishing(cell: SteppedCell) -> Callable[[], bool]:
    job = cell.service.parts.runner.job
    assert job is not None
    return lambda: job.finishing


def _end(cell: SteppedCell, end: End, others: int) -> Reply:
    """The job's answer, however it goes on."""
    if end is End.RESTART:
        cell.start()
        cell.until(lambda: cell.state() is State.READY, "READY")
        cell.run_for(0.2)
        return cell.ask(GetResult, job_id="job-1")
    if end is End.SILENCE:
        cell.until(lambda: _heard(cell, "job-1"), "the verdict")
        return cell.ask(GetResult, job_id="job-1")
    if end is End.STOP:
        _expose(cell, others)
    cell.send(StopJob, job_id="job-1")
    if end is End.LATE:
        cell.until(lambda: _heard(cell, "job-1"), "the verdict")
        _expose(cell, others)
    return cell.reply()


def _expose(cell: SteppedCell, count: int) -> None:
    for _ in range(count):
        cell.expose()


def _heard(cell: SteppedCell, job_id: str) -> set[str]:
    """Results that were published for this job."""
    verdicts = cell.published("verdict")
    return {verdict["result_id"] for verdict in verdicts if verdict["job_id"] == job_id}


def _check_one_verdict(cell: SteppedCell, row: Row, verdict: VerdictMessage) -> None:
    """Heard, on record and told again: the same, and in time."""
    assert _heard(cell, verdict.job_id) <= {verdict.result_id}
    again = cell.ask(GetResult, job_id=verdict.job_id)
    assert isinstance(again, ResultReply), again
    assert again.result == verdict
    deadline_ms = (QUICK | row.changes.get("job", {}))["deadline_ms"]
    assert verdict.timing_ms.get("job", 0.0) <= deadline_ms
    if Reason.JOURNAL_FAILED in {reason.reason for reason in verdict.reasons}:
        return  # nothing may be on record yet
    assert cell.journal.result(verdict.job_id) == verdict


def _passes(cell: SteppedCell) -> None:
    """A good part is PASS again, once the clocks are believed again."""
    if cell.state() is State.ERROR:
        assert isinstance(cell.ask(Reset), Done)
    cell.until(lambda: cell.state() is State.READY, "READY")

    def passes() -> bool:
        cell.start_job(f"good-{next(_numbers)}")
        _expose(cell, PLANNED)
        job_id = cell.service.parts.runner.job_id
        return job_id is not None and _outcome(cell, job_id) is Outcome.PASS

    cell.until(passes, "a good part that passes")


def _outcome(cell: SteppedCell, job_id: str) -> Outcome:
    reply = cell.ask(StopJob, job_id=job_id)
    assert isinstance(reply, ResultReply), reply
    return reply.result.outcome


def test_every_row_is_tried_here_or_against_processes() -> None:
    assert STRIKES.keys() <= ROWS.keys()
    assert STRIKES.keys() | ONLY_REAL == ROWS.keys()
