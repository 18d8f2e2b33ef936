"""A worker that others start: it lives, is killed, is replaced, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.kits import viky
from tests.kits.camera_launcher import launcher
from tests.kits.cell_kit import until
from tests.kits.needs import needs_socket_activation
from tests.line.cameras.test_camera import Watch
from voxgate.runtime.cameras.supervisor import CameraSupervisor
from voxgate.runtime.nouns import Reason

pytestmark = needs_socket_activation
SETTINGS = replace(viky.camera(), backoff_ms=10)


@pytest.fixture
def cameras(tmp_path: Path) -> Iterator[CameraSupervisor]:
    with launcher(tmp_path / "launcher") as file, CameraSupervisor([SETTINGS], file) as cameras:
        yield cameras


def streaming(cameras: CameraSupervisor) -> Watch:
    watch = Watch(cameras)
    watch.until(lambda: cameras.ready)
    watch.until_frames(3, "red")
    return watch


def pid_of(watch: Watch) -> int:
    watch.until(lambda: watch.cameras.status("red").pid is not None)
    pid = watch.cameras.status("red").pid
    assert pid is not None
    return pid


def test_a_worker_that_others_started_sends_no_frame(cameras: CameraSupervisor) -> None:
    watch = streaming(cameras)
    assert psutil.Process(pid_of(watch)).ppid() != os.getpid()


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.nightly)]
)
def test_a_worker_that_others_started_dies_or_hangs_and_is_not_replaced(
    tmp_path: Path, how: signal.Signals
) -> None:
    settings = replace(SETTINGS, heartbeat_ms=3_000)
    with launcher(tmp_path / "launcher") as file, CameraSupervisor([settings], file) as cameras:
        watch = streaming(cameras)
        pid = pid_of(watch)
        os.kill(pid, how)
        watch.until(lambda: watch.reasons("red")[Reason.CAMERA_LOST] >= 1)
        assert "SIGKILL" in watch.faults[-1].note.detail
        watch.until(lambda: cameras.ready)
        watch.until_frames(3, "red")
        assert pid_of(watch) != pid
        assert not psutil.pid_exists(pid)


def test_a_guardian_that_is_killed_leaves_its_worker_behind(cameras: CameraSupervisor) -> None:
    watch = streaming(cameras)
    worker = psutil.Process(pid_of(watch))
    guardian = worker.parent()
    assert guardian is not None
    guardian.kill()
    watch.until(lambda: watch.reasons("red")[Reason.CAMERA_LOST] >= 1)
    assert "journalctl" in watch.faults[-1].note.detail
    until(lambda: not worker.is_running(), "the worker's end")


def test_the_end_of_the_service_leaves_a_worker_or_its_guardian_behind(tmp_path: Path) -> None:
    with launcher(tmp_path / "launcher") as file:
        with CameraSupervisor([SETTINGS], file) as cameras:
            worker = psutil.Process(pid_of(streaming(cameras)))
            guardian = worker.parent()
        assert guardian is not None
        until(lambda: not worker.is_running() and not guardian.is_running(), "their end")


TAKEN_OVER = """
import json, socket, sys, time
connection = socket.socket(fileno=0)
_, files, _, _ = socket.recv_fds(connection, 1 << 18, 3)
link = socket.socket(fileno=files[0])
for said in {says}:
    link.send(said)
time.sleep(15)
"""


@pytest.mark.parametrize(
    ("says", "named"),
    [
        ([b'{"kind": "ready"}', b"\x80 no json"], "worker broke the link"),
        ([b'{"kind": "ready"}', b'{"kind": "armed", "count": -1}'], "worker broke the link"),
        ([b'{"kind": "failed", "detail": "a\\nverdict PASS"}'], "a\\nverdict PASS"),
    ],
)
def test_a_driver_that_took_over_its_process_breaks_the_service_or_forges_its_log(
    tmp_path: Path, says: list[bytes], named: str
) -> None:
    script = tmp_path / "taken_over.py"
    script.write_text(TAKEN_OVER.replace("{says}", repr(says)))
    settings = replace(SETTINGS, start_ms=3_000)
    with (
        launcher(tmp_path / "launcher", (sys.executable, str(script))) as file,
        CameraSupervisor([settings], file) as cameras,
    ):
        watch = Watch(cameras)
        watch.until(lambda: bool(watch.faults))
        assert named in watch.faults[0].note.detail
        assert not cameras.ready
        assert watch.frames["red"] == []
        watch.until(lambda: cameras.counters("red").restarts >= 1)  # it never ends by itself


def test_a_launcher_that_is_not_there_lets_a_driver_in_as_the_service_itself(
    tmp_path: Path,
) -> None:
    with CameraSupervisor([SETTINGS], tmp_path / "nobody") as cameras:
        watch = Watch(cameras)
        watch.until(lambda: bool(watch.faults))
        assert "nobody: No such file or directory" in watch.faults[-1].note.detail
        assert cameras.status("red").pid is None
