"""Recordings of jobs, written behind their verdicts by a thread of their own.

The loop asks `promise` before the verdict goes out and hands the recording over with `keep` after
it: neither ever waits. What is known to fail (queue or disk full, folder broken) is "missing" in
the verdict; what fails later comes out of `take` and becomes a fault. No disk can do more.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.common.trusted.bounded_file import sha256_of
from voxgate.runtime.config.sections import EvidenceSection
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.records.believed_time import BelievedTime
from voxgate.runtime.records.descriptor_reserve import Reserve
from voxgate.runtime.records.evidence_folder import DiskFullError, Shelf, quota_of
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.scans.recording import FusedVolume, JobHeader, Recording
from voxgate.runtime.wire.verdict import EvidenceStatus, VerdictMessage

log = logging.getLogger(__name__)

LOOK_AFTER_S = 5.0  # without work the folder is looked after, and a broken one is tried again
LOOK_AFTER_AT_LEAST_NS = 60_000_000_000
VOLUME_S = 5.0  # the inspection thread gives the volume away within 0.1 s
CLOSE_S = 5.0  # at the end of the service, for what waits
MB = 1_000_000

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class Cause(str, Enum):
    """Why evidence is missing: a closed list, so that it can be a metric's label."""

    QUEUE_FULL = "queue_full"  # the disk is slower than the line
    TOO_LARGE = "too_large"  # one job is more than queue_mb
    DISK_FULL = "disk_full"  # min_free_gb, or the file system itself
    FOLDER = "folder"  # cannot be written to
    WRITE = "write"  # this one recording could not be written
    SHUTDOWN = "shutdown"  # the service ended before it was written


@dataclass(frozen=True, slots=True)
class Lost:
    """Evidence that was promised and is missing."""

    job_id: str
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class Written:
    """A recording that is safe on disk."""

    job_id: str
    file: str
    sha256: str


@dataclass(slots=True)
class VolumeSlot:
    """Where the inspection thread leaves the volume, or says that there is none."""

    volume: FusedVolume | None = None
    _there: threading.Event = field(default_factory=threading.Event)

    def put(self, volume: FusedVolume | None) -> None:
        """At most once."""
        self.volume = volume
        self._there.set()

    def wait(self) -> FusedVolume | None:
        """The volume; None when there is none, or none came in time."""
        self._there.wait(VOLUME_S)
        return self.volume


@dataclass(frozen=True, slots=True)
class _Job:
    recording: Recording
    verdict: VerdictMessage
    slot: VolumeSlot | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Figures:
    """For the gauges. oldest_age_s: None while nothing is kept."""

    written: int
    missing: dict[Cause, int]
    kept: int
    kept_bytes: int
    oldest_age_s: float | None
    queue_bytes: int
    write_s: float


class EvidenceStore:
    """One folder, one thread. All methods but those of the thread are the loop's; none waits.

    on_written: called on the thread with every file that is safe on disk.
    """

    after_crash = EvidenceStatus.MISSING  # of a job that a crash left open

    def __init__(
        self,
        shelf: Shelf,
        part: PartFiles,
        queue_bytes: int,
        pass_images_every: int,
        wake: Callable[[], None],
        on_written: Callable[[Path], None] = lambda path: None,
        clock: Clock = HOST_CLOCK,
    ) -> None:
        self._shelf = shelf
        self._part = part
        self._queue_bytes = queue_bytes
        self._every = pass_images_every
        self._wake = wake
        self._on_written = on_written
        self._clock = clock
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lost: deque[Lost] = deque()
        self._new: deque[Written] = deque()
        self._missing: Counter[Cause] = Counter()
        self._promised_bytes = 0  # written by the loop only
        self._done_bytes = 0  # written by the thread only
        self._passes = 0
        self._trouble: tuple[Cause, str] | None = (Cause.FOLDER, "the folder is not open yet")
        self._written = 0
        self._write_s = 0.0
        self._due_ns = 0
        # kept, bytes, oldest: the shelf is the thread's
        self._figures: tuple[int, int, float | None] = (0, 0, None)
        self._believed = BelievedTime(clock)
        self._reserve = Reserve()
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)

    @classmethod
    def of(
        cls, section: EvidenceSection, part: PartFiles, wake: Callable[[], None], clock: Clock
    ) -> EvidenceStore:
        """As a cell's YAML says."""
        shelf = Shelf(section.folder, quota_of(section))
        queue_bytes, every = section.queue_mb * MB, section.pass_images_every
        return cls(shelf, part, queue_bytes, every, wake, clock=clock)

    # --- called by the loop ----------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work; until the folder is open evidence is missing."""
        self._thread.start()

    def begin(self, header: JobHeader) -> Recording:
        """A new job's recording."""
        return Recording(header, most_bytes=self._queue_bytes)

    def promise(self, recording: Recording, outcome: Outcome) -> EvidenceStatus:
        """Whether this recording will be taken; it counts as missing when not."""
        trouble = self._why_not(recording)
        if trouble is not None:
            cause, why = trouble
            self._missing[cause] += 1
            log.warning("job=%s: evidence is missing: %s", recording.header.job.job_id, why)
            return EvidenceStatus.MISSING
        if outcome is Outcome.PASS:
            recording.pictures = self._every > 0 and self._passes % self._every == 0
            self._passes += 1
        return EvidenceStatus.QUEUED

    def keep(self, recording: Recording, verdict: VerdictMessage, slot: VolumeSlot | None) -> None:
        """Take what was promised."""
        self._promised_bytes += recording.bytes
        self._jobs.put(_Job(recording, verdict, slot, recording.bytes))

    def take(self) -> list[Lost]:
        """What was promised and is missing, since the last call."""
        lost = []
        while self._lost:
            lost.append(self._lost.popleft())
        return lost

    def take_written(self) -> list[Written]:
        """What became safe on disk since the last call."""
        return [self._new.popleft() for _ in range(len(self._new))]

    @property
    def waiting_bytes(self) -> int:
        """What still has to be written."""
        return self._promised_bytes - self._done_bytes

    @property
    def figures(self) -> Figures:
        """For the gauges."""
        kept, kept_bytes, oldest_s = self._figures
        age_s = None if oldest_s is None else max(0.0, self._clock.utc_now().timestamp() - oldest_s)
        missing = dict(self._missing)
        return Figures(
            *(self._written, missing, kept, kept_bytes, age_s, self.waiting_bytes, self._write_s)
        )

    def close(self, patience_s: float = CLOSE_S) -> bool:
        """Write what waits, for so long; False when something is left behind."""
        if self._thread.ident is None:
            return True
        self._jobs.put(None)
        self._thread.join(patience_s)
        left = self._thread.is_alive() or self.waiting_bytes > 0
        if left:
            log.warning("%.0f MB of evidence are not written", self.waiting_bytes / MB)
        return not left

    def _why_not(self, recording: Recording) -> tuple[Cause, str] | None:
        if recording.too_large:
            return Cause.TOO_LARGE, f"one job is more than {self._queue_bytes / MB:.0f} MB"
        if self._trouble is not None:
            return self._trouble
        if not self._thread.is_alive():
            return Cause.FOLDER, "the thread that writes it has ended"
        if self.waiting_bytes + recording.bytes > self._queue_bytes:
            what = f"{self.waiting_bytes / MB:.0f} MB wait for the disk"
            return Cause.QUEUE_FULL, f"{what}, at most {self._queue_bytes / MB:.0f} may"
        return None

    # --- on the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        with self._reserve:
            self._look_after(first=True)
            while self._worked():
                if self._clock.monotonic_ns() > self._due_ns:  # a line that never pauses
                    self._look_after()

    def _worked(self) -> bool:
        """Took what came, if something came; False: it is over."""
        try:
            job = self._jobs.get(timeout=LOOK_AFTER_S)
        except Empty:
            self._look_after()
            return True
        if job is not None:
            self._take_one(job)
        return job is not None

    def _take_one(self, job: _Job) -> None:
        begun_ns = self._clock.monotonic_ns()
        try:
            path, sha256 = self._reserve.lend(lambda: self._put(job))
            self._new.append(Written(job.verdict.job_id, path.name, sha256))
            self._on_written(path)
            self._wake()
        except DiskFullError as error:
            self._fail(job, Cause.DISK_FULL, str(error))
        except OSError as error:
            cause = Cause.DISK_FULL if error.errno in _FULL else Cause.FOLDER
            self._fail(job, cause, f"{self._shelf.folder}: {error.strerror}")
        except Exception as error:  # a recording that cannot be written must not end the thread
            log.exception("job=%s: its evidence cannot be written", job.verdict.job_id)
            self._lose(job, Cause.WRITE, f"{type(error).__name__}: {error}")
        else:
            self._written += 1
            self._write_s += (self._clock.monotonic_ns() - begun_ns) / 1e9
            log.info("job=%s evidence=%s", job.verdict.job_id, path.name)
        finally:
            self._done_bytes += job.bytes
            self._show()

    def _put(self, job: _Job) -> tuple[Path, str]:
        # a quarter of a second that no start waits for: the first recording does, in this thread
        from voxgate.runtime.scans.job_writer import write_job
        from voxgate.runtime.volume.smooth import smooth

        volume = None if job.slot is None else job.slot.wait()
        if volume is not None:
            volume = replace(volume, voxels=smooth(volume.voxels, volume.grid))

        def write(file: IO[bytes]) -> None:
            write_job(file, job.recording, self._part, job.verdict, volume)

        verdict = job.verdict
        path = self._shelf.put(verdict.job_id, verdict.outcome, self._clock.utc_now(), write)
        return path, sha256_of(path)

    def _fail(self, job: _Job, cause: Cause, why: str) -> None:
        """The disk's fault: until it is mended no more is promised."""
        self._trouble = (cause, why)
        self._lose(job, cause, why)

    def _lose(self, job: _Job, cause: Cause, why: str) -> None:
        self._missing[cause] += 1
        self._lost.append(Lost(job.verdict.job_id, cause, f"its evidence is missing: {why}"))
        self._wake()

    def _look_after(self, first: bool = False) -> None:
        """Open a folder that was broken, clean one that is not."""
        self._due_ns = self._clock.monotonic_ns() + LOOK_AFTER_AT_LEAST_NS
        try:
            enough = self._reserve.lend(lambda: self._looked_after(first))
        except OSError as error:
            self._trouble = (Cause.FOLDER, f"{self._shelf.folder}: {error.strerror}")
        except Exception:
            log.exception("the evidence folder cannot be looked after")
            self._trouble = (Cause.FOLDER, f"{self._shelf.folder}: see the log")
        else:
            words = f"{self._shelf.folder}: less than min_free_gb is free"
            self._trouble = None if enough else (Cause.DISK_FULL, words)
        self._show()

    def _looked_after(self, first: bool) -> bool:
        """Whether enough of the disk is left for others."""
        if first or self._trouble is not None:
            self._shelf.open()
            self._shelf.prove()
            self._believed.last_known(self._last_written())
        else:
            self._shelf.look_again()
        self._shelf.clean(self._believed_utc_s())
        return self._shelf.free_for_others()

    def _believed_utc_s(self) -> float | None:
        now = self._believed.utc_now()
        return None if now is None else now.timestamp()

    def _last_written(self) -> datetime | None:
        last_s = max((kept.t_utc_s for kept in self._shelf.kept.values()), default=None)
        return None if last_s is None else datetime.fromtimestamp(last_s, tz=timezone.utc)

    def _show(self) -> None:
        self._figures = (len(self._shelf.kept), self._shelf.kept_bytes, self._shelf.oldest_utc_s)
