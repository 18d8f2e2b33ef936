"""The life of one job: what came, what is outstanding, when it ends. Time comes in as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.records.chain import THE_BOX

DECLARE_BEFORE_NS = 20_000_000
"""A verdict counts only inside the deadline, so it is declared early enough to be journalled."""


class Step(str, Enum):
    """What the job wants next."""

    WAIT = "wait"
    FLUSH = "flush"  # stop waiting for poses: what has none is rejected
    FINISH = "finish"  # ask the inspector for the verdict
    EXPIRE = "expire"  # the deadline is here: declare INDETERMINATE without the inspector


@dataclass(slots=True)
class Job:
    """One open job. Counters count frames; every frame ends as inspected or rejected.

    planned: views of the recipe. deadline_ns: host monotonic, absolute.
    """

    job_id: str
    part_id: str
    planned: int
    started_ns: int
    deadline_ns: int
    late_frame_ns: int
    frames_per_view: int = 1
    frames: int = 0  # taken into the job
    placed: int = 0  # became views, were handed to the inspector
    handed: int = 0  # views
    rejected: int = 0  # became notes
    inspected: int = 0  # views
    complete: bool = False  # every planned viewpoint has arrived
    stopped_ns: int | None = None  # stop_job came
    stopped_by: str = THE_BOX
    last_exposure_ns: int | None = None  # end of the last exposure, host clock
    notes: list[Note] = field(default_factory=list)  # against the job, the inspector knows them too
    finishing: bool = False  # the inspector was asked for the verdict

    def frame_came(self) -> None:
        """A frame arrived; whether it was exposed after the start is known with its pose."""
        self.frames += 1

    def is_stale(self, exposure_end_ns: int, residual_ns: int) -> bool:
        """Whether an exposure may have been over before the job began, and show another part."""
        return exposure_end_ns - residual_ns < self.started_ns

    def view_placed(self, exposure_end_ns: int, frames: int = 1) -> None:
        """So many frames are a view; exposure_end_ns of the last on the host clock."""
        self.placed += frames
        self.handed += 1
        self.last_exposure_ns = max(exposure_end_ns, self.last_exposure_ns or exposure_end_ns)

    def frames_rejected(self, frames: int = 1) -> None:
        """So many frames became a note."""
        self.rejected += frames

    def view_inspected(self, complete: bool) -> None:
        """The inspector is done with one view."""
        self.inspected += 1
        self.complete = self.complete or complete

    def stop(self, now_ns: int, who: str = THE_BOX) -> None:
        """The robot has exposed the last view. who: said so."""
        if self.stopped_ns is None:
            self.stopped_ns, self.stopped_by = now_ns, who

    @property
    def waiting(self) -> int:
        """Frames that are neither placed nor rejected: for a pose, or their other half."""
        return self.frames - self.placed - self.rejected

    @property
    def is_deciding(self) -> bool:
        """The last frame has come, or stop_job: somebody waits for the verdict."""
        came = self.frames >= self.planned_frames
        return came or self.stopped_ns is not None or self.finishing

    def next_step(self, now_ns: int) -> Step:
        """What to do at `now_ns`."""
        if now_ns >= self.expires_ns:
            return Step.EXPIRE
        if self.finishing:
            return Step.WAIT
        if self._all_seen() or self._all_came():
            return Step.FINISH
        if self.stopped_ns is not None and now_ns >= self.stopped_ns + self.late_frame_ns:
            return Step.FLUSH if self.waiting > 0 else Step.FINISH
        return Step.WAIT

    def wake_ns(self) -> int:
        """When `next_step` may say something else although nothing came."""
        if self.stopped_ns is None or self.finishing:
            return self.expires_ns
        return min(self.expires_ns, self.stopped_ns + self.late_frame_ns)

    @property
    def planned_frames(self) -> int:
        """Of all devices."""
        return self.planned * self.frames_per_view

    @property
    def expires_ns(self) -> int:
        """When the verdict is declared without the inspector."""
        return self.deadline_ns - DECLARE_BEFORE_NS

    def expired(self, now_ns: int) -> Note:
        """The reason of a job that ran out of time, with what it was waiting for."""
        return Note(
            Reason.DEADLINE,
            f"no verdict {(now_ns - self.started_ns) / 1e6:.0f} ms after start_job: "
            f"{self.frames} of {self.planned_frames} frames came, {self.placed} found a pose, "
            f"{self.rejected} were rejected, {self.inspected} were inspected",
        )

    def _all_seen(self) -> bool:
        """Every planned viewpoint is inspected, and so is whatever else came meanwhile."""
        return self.complete and self.waiting <= 0 and self.inspected >= self.handed

    def _all_came(self) -> bool:
        """After stop_job: as many frames as planned, and none of them is on its way any more."""
        return (
            self.stopped_ns is not None and self.frames >= self.planned_frames and self.waiting <= 0
        )
