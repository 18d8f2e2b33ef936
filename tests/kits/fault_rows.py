"""What can break around a job, one row per fault: how it is committed and what it must end in.

A row says for each moment of a job what the verdict's reasons must be. Where a fault leaves the
verdict alone (a wall clock that is set, packets that come late) the part is a bad one: it must
still be FAIL, as a PASS would prove nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import psutil
import zmq

from tests.kits.cell_kit import HEIGHT_PX, WIDTH_PX, ServiceProcess
from tests.kits.robot_kit import CAMERA_OFFSET_NS, EXPOSURE_NS, ROBOT_OFFSET_NS, Robot
from tests.kits.scripted_cell import Script
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.commands import Abort, StartJob
from voxgate.runtime.wire.poses import TOPIC_POSE
from voxgate.runtime.wire.replies import RefusalCode, Refused

PLANNED = 3
POSE = {"seq": 0, "t_robot_ns": ROBOT_OFFSET_NS, "p_mm": [0, 0, 0], "q_wxyz": [1, 0, 0, 0]}
DAY_S = 86_400
HALF_A_SECOND_NS = 500_000_000


class When(str, Enum):
    """The moment of a job."""

    BEFORE = "before"  # READY; the fault is there when the robot starts the job
    OPEN = "open"  # nothing is exposed yet
    HALF = "half"  # one of three views is exposed
    DECIDING = "deciding"  # every view is in, the verdict is being made


class End(str, Enum):
    """How the job goes on after the fault."""

    STOP = "stop"  # the other views, then stop_job
    LATE = "late"  # stop_job, then the other views
    SILENCE = "silence"  # the robot says nothing any more
    RESTART = "restart"  # the service is gone and comes back


@dataclass(slots=True)
class Line:
    """What a fault may lay hands on. undo: what mends it, run after the verdict."""

    folder: Path
    service: ServiceProcess
    robot: Robot
    undo: list[Callable[[], None]] = field(default_factory=list)


Strike = Callable[[Line], None]
Expected = frozenset[Reason] | RefusalCode | Outcome
"""Reasons of which at least one must be told; a refused start_job, or get_result after a restart;
or the verdict of a bad part."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. script, changes, cameras: of a service of its own; none: the shared one."""

    strike: Strike
    expected: Mapping[When, Expected]
    script: Script | None = None
    changes: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    cameras: Mapping[str, Any] = field(default_factory=dict)
    end: End = End.STOP
    wall_clock: bool = False  # `folder/offset` moves the wall clock of the service
    slewed: bool = False  # `folder/slew` makes its monotonic clock run at another rate
    disk: bool = False  # the journal lies on a file system of its own, under `folder/disk`
    in_time: bool = True  # False: not even a deadline is looked at while the fault lasts
    mends: bool = True  # a good part passes afterwards


def _any(*reasons: Reason) -> frozenset[Reason]:
    return frozenset(reasons)


def _at(moments: tuple[When, ...], expected: Expected) -> dict[When, Expected]:
    """The same at each of these moments; every run tries the first."""
    return dict.fromkeys(moments, expected)


def _open_or_half(expected: Expected) -> dict[When, Expected]:
    """While the job is open and not all views are in."""
    return _at((When.OPEN, When.HALF), expected)


def _nothing(line: Line) -> None:
    """The fault is in the script."""


# --- frames --------------------------------------------------------------------------------------


def _lose(line: Line) -> None:
    line.robot._frame_id += 1


def _with_header(**header: Any) -> Strike:
    def strike(line: Line) -> None:
        line.robot.expose(**header)

    return strike


def _twice(line: Line) -> None:
    line.robot.expose(frame_id=line.robot._frame_id)


def _out_of_order(line: Line) -> None:
    last = line.robot._frame_id
    line.robot.expose(frame_id=last + 2)
    line.robot.expose(frame_id=last + 1)
    line.robot._frame_id = last + 2


def _raw(*parts: bytes) -> Strike:
    def strike(line: Line) -> None:
        line.robot._frames.send_multipart(list(parts))

    return strike


def _truncated(line: Line) -> None:
    line.robot._frame_id += 1
    header = {
        **{"camera": "cam0", "frame_id": line.robot._frame_id, "exposure_ns": EXPOSURE_NS},
        **{"t_device_ns": time.monotonic_ns() + CAMERA_OFFSET_NS},
        **{"width": WIDTH_PX, "height": HEIGHT_PX, "pixel_format": "Mono8"},
        **{"depth": "Coord3D_C16", "depth_scale_mm": 0.1, "depth_offset_mm": 0.0},
        "encoding": "raw",
    }
    pixels = WIDTH_PX * HEIGHT_PX
    parts = [json.dumps(header).encode(), bytes(pixels), bytes(pixels)]  # half of the depth
    line.robot._frames.send_multipart(parts)


FRAMES = {
    "frame lost": Row(_lose, {When.HALF: _any(Reason.FRAME_LOST)}),
    "frame twice": Row(_twice, {When.HALF: _any(Reason.FRAME_INVALID)}),
    "frames out of order": Row(
        _out_of_order,
        _open_or_half(_any(Reason.FRAME_LOST, Reason.FRAME_INVALID)),
    ),
    "frame truncated": Row(_truncated, _open_or_half(_any(Reason.FRAME_INVALID))),
    "frame is garbage": Row(_raw(b"\xff\x00garbage"), _open_or_half(_any(Reason.FRAME_INVALID))),
    "frame has a part too many": Row(
        _raw(b"{}", b"", b"", b""),
        _open_or_half(_any(Reason.FRAME_INVALID)),
    ),
    "frame of another size": Row(_with_header(width=10), _open_or_half(_any(Reason.FRAME_INVALID))),
    "frame in another format": Row(
        _with_header(pixel_format="Mono12"),
        _open_or_half(_any(Reason.FRAME_INVALID)),
    ),
    "frame of another camera": Row(
        _with_header(camera="cam9"),
        _open_or_half(_any(Reason.FRAME_INVALID)),
    ),
    "frame without depth": Row(_with_header(depth=None), _open_or_half(_any(Reason.FRAME_INVALID))),
    "frame from before the job": Row(
        _with_header(age_ns=10 * HALF_A_SECOND_NS),
        _open_or_half(_any(Reason.FRAME_INVALID, Reason.CLOCK_UNSYNCED)),
    ),
    "frames come late": Row(
        _nothing,
        {When.HALF: _any(Reason.MISSING_VIEW)},
        changes={"job": {"late_frame_ms": 0}},
        end=End.LATE,
    ),
}


# --- the camera's process ------------------------------------------------------------------------


def _signal_camera(number: int) -> Strike:
    def strike(line: Line) -> None:
        (camera,) = psutil.Process(line.service.pid).children()
        camera.send_signal(number)

    return strike


def _starve_camera(line: Line) -> None:
    """What a leak ends in: it gets no memory any more."""
    (camera,) = psutil.Process(line.service.pid).children()
    used = camera.memory_info().vms
    resource.prlimit(camera.pid, resource.RLIMIT_AS, (used, used))
    line.robot.expose()
    line.robot.expose(width=10**4, height=10**4)


_GONE = _any(Reason.CAMERA_LOST, Reason.MISSING_VIEW, Reason.FRAME_LOST)
CAMERA = {
    "camera worker killed": Row(_signal_camera(signal.SIGKILL), _open_or_half(_GONE)),
    "camera worker stopped": Row(
        _signal_camera(signal.SIGSTOP),
        _at((When.HALF, When.OPEN), _GONE),
        cameras={"heartbeat_ms": 500},
    ),
    "camera worker out of memory": Row(
        _starve_camera, _open_or_half(_GONE | {Reason.FRAME_INVALID})
    ),
}


# --- poses and clocks ----------------------------------------------------------------------------


def _silent(line: Line) -> None:
    line.robot.stop_poses()
    time.sleep(0.6)  # longer than sync.max_gap_ms
    line.undo.append(line.robot.send_poses)


def _strange_pose(**change: Any) -> Strike:
    def strike(line: Line) -> None:
        payload = json.dumps(POSE | change).encode()
        before = len(line.robot.published("fault"))
        with zmq.Context() as context, context.socket(zmq.PUB) as other:
            other.linger = 100
            other.connect(f"ipc://{line.folder}/poses")
            deadline = time.monotonic() + 10
            while len(line.robot.published("fault")) == before and time.monotonic() < deadline:
                other.send_multipart([TOPIC_POSE, payload])
                time.sleep(0.01)

    return strike


def _second_sender(**change: Any) -> Strike:
    """Another program of the same controller says some poses; its own count, or a count no more."""

    def strike(line: Line) -> None:
        before = len(line.robot.published("fault"))
        with zmq.Context() as context, context.socket(zmq.PUB) as other:
            other.linger = 100
            other.connect(f"ipc://{line.folder}/poses")
            deadline = time.monotonic() + 10
            while len(line.robot.published("fault")) == before and time.monotonic() < deadline:
                now_ns = time.monotonic_ns() + ROBOT_OFFSET_NS
                pose = POSE | {"t_robot_ns": now_ns} | change
                other.send_multipart([TOPIC_POSE, json.dumps(pose).encode()])
                time.sleep(0.01)

    return strike


def _another_robot(line: Line) -> None:
    """Its clock began elsewhere, its sequence numbers and places are its own."""
    with zmq.Context() as context, context.socket(zmq.PUB) as other:
        other.linger = 100
        other.connect(f"ipc://{line.folder}/poses")
        for number in range(50):
            now_ns = time.monotonic_ns() + 3 * ROBOT_OFFSET_NS
            pose = POSE | {"seq": 10**6 + number, "t_robot_ns": now_ns, "p_mm": [0, 0, 900]}
            other.send_multipart([TOPIC_POSE, json.dumps(pose).encode()])
            time.sleep(0.008)


def _step(attribute: str, by_ns: int) -> Strike:
    """Somebody sets a device's clock."""

    def strike(line: Line) -> None:
        setattr(line.robot, attribute, getattr(line.robot, attribute) + by_ns)
        line.robot.send_more_poses(12)

    return strike


_CLOCK = _any(
    *(Reason.CLOCK_UNSYNCED, Reason.POSE_GAP, Reason.POSE_MISSING, Reason.POSE_INVALID),
    *(Reason.POSE_UNCERTAIN, Reason.FRAME_INVALID),
)
_BEFORE_OPEN_HALF = (When.BEFORE, When.OPEN, When.HALF)
POSES = {
    "poses silent": Row(
        _silent,
        _at(_BEFORE_OPEN_HALF, _any(Reason.POSE_MISSING, Reason.POSE_GAP, Reason.MISSING_VIEW)),
    ),
    "pose is not a number": Row(
        _strange_pose(p_mm=[1, 2, float("nan")]),
        _open_or_half(_any(Reason.POSE_INVALID)),
    ),
    "pose is no rotation": Row(
        _strange_pose(q_wxyz=[0, 0, 0, 0]),
        _open_or_half(_any(Reason.POSE_INVALID)),
    ),
    "pose is kilometres away": Row(
        _strange_pose(p_mm=[1e6, 0, 0]),
        _open_or_half(_any(Reason.POSE_INVALID)),
    ),
    "poses of another robot": Row(_another_robot, _open_or_half(_CLOCK)),
    "poses of a second program": Row(
        _second_sender(seq=10**6), _open_or_half(_any(Reason.POSE_ORDER))
    ),
    "poses of a second program that has just begun": Row(
        _second_sender(seq=0), _open_or_half(_any(Reason.POSE_ORDER))
    ),
    "pose stamp set back": Row(
        _second_sender(seq=10**6, t_robot_ns=ROBOT_OFFSET_NS),
        _open_or_half(_any(Reason.POSE_ORDER)),
    ),
    "camera clock set": Row(_step("camera_offset_ns", HALF_A_SECOND_NS), {When.HALF: _CLOCK}),
    "camera clock set back": Row(_step("camera_offset_ns", -HALF_A_SECOND_NS), {When.HALF: _CLOCK}),
    "robot clock set": Row(_step("robot_offset_ns", HALF_A_SECOND_NS), _open_or_half(_CLOCK)),
    "robot clock set back": Row(_step("robot_offset_ns", -HALF_A_SECOND_NS), _open_or_half(_CLOCK)),
}


# --- engine and recipe ---------------------------------------------------------------------------

_BROKEN = _any(Reason.ENGINE_FAILED)
ENGINE = {
    "engine gives NaN": Row(
        _nothing, {When.HALF: _any(Reason.SCORE_INVALID)}, Script(nan_score=True), mends=False
    ),
    "engine breaks": Row(_nothing, {When.OPEN: _BROKEN}, Script(raise_in="add"), mends=False),
    "engine has a fault": Row(_nothing, {When.OPEN: _BROKEN}, Script(raise_in="add!"), mends=False),
    "engine is late": Row(
        _nothing,
        {When.HALF: _any(Reason.DEADLINE)},
        Script(add_s=0.5),
        {"job": {"deadline_ms": 1200}},
        mends=False,
    ),
    "verdict is late": Row(
        _nothing,
        {When.HALF: _any(Reason.DEADLINE)},
        Script(finish_s=1.5),
        {"job": {"deadline_ms": 1200}},
        mends=False,
    ),
    "engine too slow for the robot": Row(
        _nothing,
        {When.HALF: _any(Reason.QUEUE_OVERFLOW)},
        Script(add_s=0.3),
        {"job": {"queue_views": 1}},
        mends=False,
    ),
    "recipe has expired": Row(
        _nothing,
        {When.BEFORE: RefusalCode.RECIPE_FAILED},
        Script(not_after_utc=datetime(2020, 1, 1, tzinfo=timezone.utc)),
        mends=False,
    ),
}


# --- what carries the service --------------------------------------------------------------------


def _lock_journal(line: Line) -> None:
    """A person's shell that was left open."""
    other = sqlite3.connect(line.folder / "journal.sqlite", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    line.undo += [other.rollback, other.close]


def _fill_disk(line: Line) -> None:
    filler = line.folder / "disk/filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    line.undo.append(filler.unlink)


def _break_disk(line: Line) -> None:
    """A file system that found an error of its own lets nobody write any more."""
    (device,) = (
        mount.device
        for mount in psutil.disk_partitions(all=True)
        if mount.mountpoint == str(line.folder / "disk")
    )
    Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("1")


def _freeze_disk(line: Line) -> None:
    """Whoever writes waits, as for a disk that is busy with itself."""
    disk = str(line.folder / "disk")
    subprocess.run(["fsfreeze", "--freeze", disk], check=True)
    thaw = threading.Timer(1.5, subprocess.run, (["fsfreeze", "--unfreeze", disk],))
    thaw.start()
    line.undo.append(thaw.join)


def _kill(line: Line) -> None:
    line.service.end(signal.SIGKILL)


def _power_cut(line: Line) -> None:
    """The last pages of the journal never reached a disk that had said they did."""
    line.service.end(signal.SIGKILL)
    wal = line.folder / "journal.sqlite-wal"
    with wal.open("r+b") as file:
        file.truncate(max(0, wal.stat().st_size - 100))


def _squeeze(line: Line) -> None:
    """The machine has no memory left for the service."""
    used = psutil.Process(line.service.pid).memory_info().vms
    before = resource.prlimit(line.service.pid, resource.RLIMIT_AS)
    resource.prlimit(line.service.pid, resource.RLIMIT_AS, (used, before[1]))
    line.robot.expose()  # the engine asks for memory; libraries end the process when there is none


def _terminate(line: Line) -> None:
    os.kill(line.service.pid, signal.SIGTERM)


def _write_in_place(file: Path, *words: int) -> None:
    """The service has it in its memory: a file that is empty for a moment would end the service."""
    with file.open("r+b") as stream:
        stream.write(b"".join(word.to_bytes(8, sys.byteorder, signed=True) for word in words))


def _set_wall_clock(by_s: int) -> Strike:
    def strike(line: Line) -> None:
        _write_in_place(line.folder / "offset", by_s)

    return strike


def _slew(ppm: int) -> Strike:
    """A time server corrects the machine's clock by its rate."""

    def strike(line: Line) -> None:
        _write_in_place(line.folder / "slew", time.monotonic_ns(), ppm)
        time.sleep(1.5)  # some poses by the new rate

    return strike


def _suspend(line: Line) -> None:
    """The machine sleeps, its clock with it; robot and camera go on."""
    line.robot.robot_offset_ns += 3 * 10**9
    line.robot.camera_offset_ns += 3 * 10**9
    line.robot.send_more_poses(12)


def _stand_still(line: Line) -> None:
    """A virtual machine is paused, or a core is taken away: nothing runs, time goes on."""
    service = psutil.Process(line.service.pid)
    stopped = [service, *service.children()]
    for process in stopped:
        process.suspend()
    time.sleep(3.0)
    for process in stopped:
        process.resume()


_CRASHED = _any(Reason.CRASHED)
_BAD = Script(outcome=Outcome.FAIL)
_STILL_FAIL = _at((When.HALF, When.BEFORE, When.OPEN, When.DECIDING), Outcome.FAIL)
_DURING = (When.OPEN, When.HALF, When.DECIDING)
CARRIER = {
    "journal locked": Row(
        _lock_journal,
        {
            When.BEFORE: RefusalCode.JOURNAL_FAILED,
            **_at(_DURING, _any(Reason.JOURNAL_FAILED)),
        },
    ),
    "disk full": Row(_fill_disk, _at(_DURING, _any(Reason.JOURNAL_FAILED)), disk=True, mends=False),
    "disk read-only": Row(
        _break_disk, _at(_DURING, _any(Reason.JOURNAL_FAILED)), disk=True, mends=False
    ),
    "disk slow": Row(
        _freeze_disk,
        _at((When.HALF, When.DECIDING), _any(Reason.DEADLINE)),
        changes={"job": {"deadline_ms": 1200}},
        disk=True,
        mends=False,
    ),
    "memory exhausted": Row(
        _squeeze,
        _at(_DURING, _any(Reason.ENGINE_FAILED, Reason.CRASHED)),
        Script(allocates_mb=512),
        end=End.RESTART,
        mends=False,
    ),
    "wall clock set": Row(_set_wall_clock(DAY_S), _STILL_FAIL, _BAD, wall_clock=True, mends=False),
    "wall clock set back": Row(
        _set_wall_clock(-DAY_S), _STILL_FAIL, _BAD, wall_clock=True, mends=False
    ),
    "host clock slewed": Row(_slew(80_000), _STILL_FAIL, _BAD, slewed=True, mends=False),
    "host clock slewed back": Row(_slew(-80_000), _STILL_FAIL, _BAD, slewed=True, mends=False),
    "machine suspended": Row(_suspend, _open_or_half(_CLOCK)),
    "machine stands still": Row(
        _stand_still,
        _open_or_half(_any(Reason.DEADLINE, Reason.CAMERA_LOST)),
        changes={"job": {"deadline_ms": 2000}},
        in_time=False,
        mends=False,
    ),
    "service killed": Row(_kill, _at(_DURING, _CRASHED), end=End.RESTART),
    "power cut": Row(_power_cut, _at(_DURING, RefusalCode.UNKNOWN_JOB), end=End.RESTART),
    "service told to end": Row(_terminate, _open_or_half(_any(Reason.SHUTDOWN)), end=End.RESTART),
}


# --- the robot program ---------------------------------------------------------------------------


def _abort(line: Line) -> None:
    line.robot.ask(Abort)


def _second_job(line: Line) -> None:
    reply = line.robot.ask(StartJob, job_id="second", part_id="p")
    assert isinstance(reply, Refused), reply


ROBOT = {
    "job given up": Row(_abort, _open_or_half(_any(Reason.ABORTED))),
    "robot vanishes before stop_job": Row(
        _nothing,
        {When.HALF: _any(Reason.DEADLINE)},
        changes={"job": {"deadline_ms": 1500}},
        end=End.SILENCE,
    ),
    "two jobs at once": Row(
        _second_job,
        _at(_DURING, Outcome.FAIL),
        Script(outcome=Outcome.FAIL),
        mends=False,
    ),
}

ROWS: dict[str, Row] = {**FRAMES, **CAMERA, **POSES, **ENGINE, **CARRIER, **ROBOT}
