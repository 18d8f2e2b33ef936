"""Evidence gives way in the right order, and neither a full nor a slow disk ever stops the line."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import pytest

from tests.kits.cell_kit import PATIENCE_S, ServiceProcess, small_calibration, until, write_cell
from tests.kits.good_part import is_good
from tests.kits.journalled import verdict
from tests.kits.needs import needs_mounts
from tests.kits.robot_kit import Robot
from voxgate.runtime.nouns import JobIdentity, Outcome
from voxgate.runtime.records.evidence_folder import DiskFullError, Quota, Shelf, kept_in
from voxgate.runtime.records.evidence_store import Cause, EvidenceStore
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.scans.recording import JobHeader, Recording
from voxgate.runtime.scans.scan import FrameRecord
from voxgate.runtime.wire.commands import StopJob
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.replies import ResultReply
from voxgate.runtime.wire.verdict import EvidenceStatus, VerdictMessage

DAY_S = 86_400.0
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
OPEN = Quota(max_bytes=1 << 40, max_age_s=1e9, keep_fail_s=1e9, min_free_bytes=0)


def shelf(folder: Path, **changes: float) -> Shelf:
    """Open, with limits of its own."""
    fields = {name: getattr(OPEN, name) for name in Quota.__slots__}
    found = Shelf(folder, Quota(**(fields | changes)))
    found.open()
    return found


def lay(folder: Path, job_id: str, outcome: Outcome, age_days: float, size: int = 100) -> None:
    """A recording of that age."""

    def write(file: IO[bytes]) -> None:
        file.write(bytes(size))

    path = shelf(folder).put(job_id, outcome, NOW, write)
    t_s = NOW.timestamp() - age_days * DAY_S
    os.utime(path, (t_s, t_s))


def jobs(folder: Path) -> list[str]:
    return [kept.job_id for kept in kept_in(folder)]


# --- the shelf ----------------------------------------------------------------------------------


def test_what_failed_goes_before_what_passed(tmp_path: Path) -> None:
    for age, (job_id, outcome) in enumerate(
        [("p1", Outcome.PASS), ("p2", Outcome.PASS), ("f", Outcome.FAIL)]
    ):
        lay(tmp_path, job_id, outcome, age_days=age)
    lay(tmp_path, "i:old", Outcome.INDETERMINATE, age_days=9)
    assert jobs(tmp_path) == ["i:old", "f", "p2", "p1"]
    shelf(tmp_path, max_bytes=300).clean(None)
    assert jobs(tmp_path) == ["i:old", "f", "p1"]
    shelf(tmp_path, max_bytes=100).clean(None)
    assert jobs(tmp_path) == ["f"]  # the oldest of those that failed, once no pass is left


def test_old_recordings_stay_for_ever(tmp_path: Path) -> None:
    lay(tmp_path, "p", Outcome.PASS, age_days=31)
    lay(tmp_path, "f", Outcome.FAIL, age_days=31)
    lay(tmp_path, "ff", Outcome.FAIL, age_days=400)
    shelf(tmp_path, max_age_s=30 * DAY_S, keep_fail_s=365 * DAY_S).clean(NOW.timestamp())
    assert jobs(tmp_path) == ["f"]


def test_a_clock_that_was_set_makes_everything_old(tmp_path: Path) -> None:
    lay(tmp_path, "p", Outcome.PASS, age_days=1)
    shelf(tmp_path, max_age_s=DAY_S / 2).clean(None)
    assert jobs(tmp_path) == ["p"]


def test_failures_give_way_to_a_disk_that_others_fill(tmp_path: Path) -> None:
    lay(tmp_path, "p", Outcome.PASS, age_days=1)
    lay(tmp_path, "f", Outcome.FAIL, age_days=2)
    tight = shelf(tmp_path, min_free_bytes=1 << 60)
    with pytest.raises(DiskFullError, match="min_free_gb"):
        tight.put("new", Outcome.FAIL, NOW, lambda file: None)
    assert jobs(tmp_path) == ["f"]
    assert not list(tmp_path.glob(".*"))


def test_a_draft_of_a_crash_stays(tmp_path: Path) -> None:
    (tmp_path / ".20260101T000000Z_j_PASS.mcap.draft").write_bytes(b"half")
    (tmp_path / "notes of the shift.txt").write_text("ours")
    shelf(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes of the shift.txt"]


# --- the store ----------------------------------------------------------------------------------


class Line:
    """A store and the loop that uses it. held: what its thread waits for after each file."""

    def __init__(self, folder: Path, held: threading.Event | None = None, **options: int) -> None:
        small_calibration(folder / "calibration.json")
        self.folder = folder / "evidence"
        self.released = False
        limits = {"queue_bytes": 10_000, "pass_images_every": 1} | options
        self.store = EvidenceStore(
            Shelf(self.folder, OPEN),
            PartFiles.beside(folder / "calibration.json"),
            limits["queue_bytes"],
            limits["pass_images_every"],
            wake=lambda: None,
            on_written=lambda path: None if held is None else self._hold(held),
        )
        self.store.start()
        until(self.folder.is_dir, "the folder")

    def job(self, job_id: str = "4711", size: int = 0, passed: bool = True) -> EvidenceStatus:
        """One job of so many bytes; what its verdict would say."""
        recording = self.store.begin(header(job_id))
        recording.bytes += size
        said = verdict(job_id, passed=passed)
        promised = self.store.promise(recording, said.outcome)
        if promised is EvidenceStatus.QUEUED:
            self.store.keep(recording, said, None)
        return promised

    def _hold(self, held: threading.Event) -> None:
        held.wait(PATIENCE_S)
        self.released = True


def header(job_id: str) -> JobHeader:
    job = JobIdentity(job_id, "p", "bracket/1", "0" * 16, is_simulated=True)
    return JobHeader(job, "test", 10**12, "2026-01-01")


def ready(line: Line) -> None:
    """Until the first promise is kept; before, the folder is not open."""
    until(lambda: line.job("first") is EvidenceStatus.QUEUED, "an open folder")
    until(lambda: line.store.figures.written >= 1, "the first file")


def test_a_slow_disk_keeps_the_line_waiting(tmp_path: Path) -> None:
    held = threading.Event()
    line = Line(tmp_path, held)
    until(lambda: line.job("first", size=6000) is EvidenceStatus.QUEUED, "an open folder")
    assert line.job("second", size=6000) is EvidenceStatus.MISSING
    assert not line.released  # the disk has the first in hand still
    assert line.store.figures.missing[Cause.QUEUE_FULL] == 1
    held.set()
    until(lambda: line.store.waiting_bytes == 0, "an empty queue")
    assert line.job("third", size=6000) is EvidenceStatus.QUEUED
    assert line.store.close()
    assert set(jobs(line.folder)) == {"first", "third"}


@pytest.fixture
def no_descriptor() -> Iterator[Callable[[], None]]:
    """Takes all that are left, until the end of the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []

    def take() -> None:
        own = len(list(Path("/proc/self/fd").iterdir()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (own + 64, hard))
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))

    yield take
    for fd in taken:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_crowd_that_took_every_descriptor_costs_the_recording(
    tmp_path: Path, no_descriptor: Callable[[], None]
) -> None:
    line = Line(tmp_path)
    ready(line)
    before = line.store.figures
    no_descriptor()
    with pytest.raises(OSError, match="Too many open files"):
        os.open(os.devnull, os.O_RDONLY)
    for number in range(3):
        assert line.job(f"crowded-{number}") is EvidenceStatus.QUEUED
    until(lambda: line.store.figures.written == before.written + 3, "what was promised")
    assert line.store.figures.missing == before.missing
    assert line.store.close()


def test_a_job_that_is_too_large_fills_the_memory(tmp_path: Path) -> None:
    line = Line(tmp_path)
    ready(line)
    recording = line.store.begin(header("large"))
    recording.bytes = 10_000
    recording.took(1)
    assert recording.too_large
    assert recording.events == []
    assert line.store.promise(recording, Outcome.FAIL) is EvidenceStatus.MISSING
    assert line.store.close()


def test_a_folder_that_vanished_is_never_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.runtime.records.evidence_store.LOOK_AFTER_S", 0.05)
    line = Line(tmp_path)
    ready(line)
    shutil.rmtree(line.folder)
    line.folder.write_text("a file where the folder was")
    line.job("lost")
    (lost,) = until(line.store.take, "the loss")
    assert (lost.job_id, lost.cause) == ("lost", Cause.FOLDER)
    assert line.job("next") is EvidenceStatus.MISSING
    line.folder.unlink()
    until(lambda: line.job("again") is EvidenceStatus.QUEUED, "a folder that is tried again")
    assert line.store.close()


def test_pictures_of_every_pass_are_kept_whatever_was_asked(tmp_path: Path) -> None:
    line = Line(tmp_path, pass_images_every=2, queue_bytes=1 << 20)
    ready(line)  # the first of two
    recordings: dict[str, Recording] = {}
    for job_id, outcome in (("a", Outcome.PASS), ("b", Outcome.PASS), ("c", Outcome.FAIL)):
        recordings[job_id] = line.store.begin(header(job_id))
        line.store.promise(recordings[job_id], outcome)
    assert [recordings[name].pictures for name in "abc"] == [False, True, True]
    assert line.store.close()


# --- the service --------------------------------------------------------------------------------


def play(robot: Robot, job_id: str) -> VerdictMessage:
    """One good part."""
    robot.start_job(job_id)
    for _ in range(3):
        robot.expose()
    reply = robot.ask(StopJob, job_id=job_id)
    assert isinstance(reply, ResultReply)
    return reply.result


def begin(robot: Robot) -> None:
    robot.send_poses()
    robot.wait_for(State.READY)
    robot.send_poses_for_a_while()


@pytest.mark.parametrize(
    "delays_s",
    [(0.004,), pytest.param([k / 1000 for k in range(40)], marks=pytest.mark.nightly)],
    ids=["once", "often"],
)
def test_a_kill_leaves_half_a_recording(folder: Path, delays_s: tuple[float, ...]) -> None:
    cell = write_cell(folder, evidence={"folder": "evidence", "min_free_gb": 0.0})
    evidence = folder / "evidence"
    evidence.mkdir()
    (evidence / ".20260101T000000Z_torn_PASS.mcap.draft").write_bytes(b"half")
    for round_number, delay_s in enumerate(delays_s):
        service = ServiceProcess(cell).start()
        try:
            with Robot(folder) as robot:
                begin(robot)
                told = play(robot, f"job-{round_number}")
                assert is_good(told)
                time.sleep(delay_s)
                service.end(signal.SIGKILL)
        finally:
            service.kill_if_left()
    service = ServiceProcess(cell).start()
    try:
        with Robot(folder) as robot:
            begin(robot)
            assert play(robot, "job:last").evidence is EvidenceStatus.QUEUED
            assert service.end(signal.SIGTERM) == 0
    finally:
        service.kill_if_left()
    assert not list(evidence.glob(".*"))
    assert "job:last" in jobs(evidence)
    for kept in kept_in(evidence):
        job = read_job(evidence / kept.name)
        assert job.verdict is not None
        assert job.verdict.job_id == kept.job_id
        assert sum(isinstance(event, FrameRecord) for event in job.recording.events) == 3


def _of_evidence(robot: Robot) -> list[dict[str, Any]]:
    return [fault for fault in robot.published("fault") if fault["code"] == "evidence"]


@needs_mounts
@pytest.mark.parametrize("options", ["size=48k", pytest.param("ro", marks=pytest.mark.nightly)])
def test_a_full_or_read_only_disk_stops_the_line(folder: Path, options: str) -> None:
    """A real file system, too small for the second recording or not to be written at all."""
    cell = write_cell(folder, evidence={"folder": "evidence", "min_free_gb": 0.0})
    (folder / "evidence").mkdir()
    mount = f'mount -t tmpfs -o {options} tmpfs {folder}/evidence && exec "$@"'
    within = ("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh")
    service = ServiceProcess(cell, wrapped_in=within).start()
    try:
        with Robot(folder) as robot:
            begin(robot)
            numbers = itertools.count()

            def tells() -> bool:
                said = play(robot, f"job-{next(numbers)}")
                assert is_good(said)
                return said.evidence is EvidenceStatus.MISSING

            until(tells, "a verdict that says what became of its recording")
            assert robot.state() is State.READY
            if options != "ro":
                # a machine that stalls may have told of its clocks before
                faults = until(lambda: _of_evidence(robot), "the fault")
                assert faults[0]["job_id"].startswith("job-")
            assert service.end(signal.SIGTERM) == 0
    finally:
        service.kill_if_left()
