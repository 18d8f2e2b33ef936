"""The open job from start to its verdict: frames to the synchronizer, views to the inspector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from voxgate.runtime.common.timings import FOREVER_NS, NS_PER_MS
from voxgate.runtime.config.sections import JobSection
from voxgate.runtime.jobs.events import JobFinished, ViewInspected
from voxgate.runtime.jobs.inspection_thread import Inspection
from voxgate.runtime.jobs.intake import Intake, PlacedView
from voxgate.runtime.jobs.job import Job, Step
from voxgate.runtime.jobs.part_inspector import Prepared
from voxgate.runtime.jobs.verdict_book import Call, Entry, VerdictBook
from voxgate.runtime.nouns import Frame, Note, Reason, Verdict
from voxgate.runtime.records.chain import THE_BOX
from voxgate.runtime.telemetry.faults import Faults
from voxgate.runtime.telemetry.metrics import Metrics, Stage
from voxgate.runtime.wire.commands import Command, StartJob
from voxgate.runtime.wire.verdict import MAX_REASONS
from voxgate.runtime.wire.verdict_message import against


class JobRunner:
    """At most one job at a time; its row and its verdict go into `book`."""

    def __init__(
        self,
        config: JobSection,
        book: VerdictBook,
        inspection: Inspection,
        intake: Intake,
        faults: Faults,
        metrics: Metrics,
    ) -> None:
        self.book = book
        self.on_closed: Callable[[int], None] = _nobody  # all is done that the job asks for
        self._config = config
        self._inspection = inspection
        self._intake = intake
        self._faults = faults
        self._metrics = metrics
        self._entry: Entry | None = None
        self._number = 0
        self._notes = 0

    @property
    def job(self) -> Job | None:
        """The open one."""
        return None if self._entry is None else self._entry.job

    @property
    def job_id(self) -> str | None:
        """Of the open one."""
        return None if self._entry is None else self._entry.job.job_id

    # --- begin -----------------------------------------------------------------------------------

    def open(self, command: StartJob, recipe: Prepared, now_ns: int, who: str = THE_BOX) -> bool:
        """Open the job; False when its id was used before. Raises ServiceError: nothing opened.

        who: asked for it.
        """
        job = Job(
            job_id=command.job_id,
            part_id=command.part_id,
            planned=recipe.planned,
            started_ns=now_ns,
            deadline_ns=now_ns + self._config.deadline_ms * NS_PER_MS,
            late_frame_ns=self._config.late_frame_ms * NS_PER_MS,
            frames_per_view=self._intake.frames_per_view,
        )
        entry = self.book.open(job, recipe, who)
        if entry is None:
            return False
        self._entry = entry
        self._number += 1
        self._notes = 0
        self._intake.begin(entry.recording)
        self.told(command, now_ns)
        self._inspection.begin(self._number)
        return True

    def told(self, command: Command, now_ns: int) -> None:
        """A command of the robot that the job's recording shows."""
        if self._entry is not None:
            self._entry.recording.told(command, now_ns)

    # --- while it runs ---------------------------------------------------------------------------

    def frame(self, frame: Frame) -> None:
        """A frame of the camera; without a job nobody asked for it."""
        if self.job is None:
            self._metrics.frames_outside_job.inc()
            return
        self.job.frame_came()
        self._intake.add_frame(frame)

    def hold_against(self, note: Note) -> None:
        """Something that must not happen during a job happened."""
        entry = self._entry
        if entry is None:
            return
        self._notes += 1
        if self._notes <= MAX_REASONS:  # one is enough for INDETERMINATE
            self._inspection.reject(self._number, note)
            entry.job.notes.append(note)
            entry.recording.held(note)

    def pump(self, now_ns: int) -> None:
        """Move what found its pose on to the inspector."""
        stepped = self._intake.stepped()
        if stepped is not None:
            self.hold_against(stepped)
            self._faults.note(stepped, now_ns, self.job_id)
        for result in self._intake.take(now_ns):
            if self._entry is None:
                continue
            if isinstance(result, PlacedView):
                self._hand_over(self._entry, result, now_ns)
            else:
                self._reject(self._entry.job, result.note, now_ns)

    def _hand_over(self, entry: Entry, placed: PlacedView, now_ns: int) -> None:
        job, frame_id = entry.job, placed.view.frame_id
        if job.is_stale(placed.after_ns, placed.residual_ns):
            after_ms = (placed.after_ns - job.started_ns) / NS_PER_MS
            what = (
                f"frame {frame_id}: exposed {after_ms:.0f} ms after start_job, give or take "
                f"{placed.residual_ns / NS_PER_MS:.0f}: it may show the part before"
            )
            self._reject(job, Note(Reason.FRAME_INVALID, what), now_ns, placed.frames)
        elif self._inspection.add(self._number, placed.view):
            job.view_placed(placed.exposure_end_ns, placed.frames)
            entry.recording.handed(placed.view)
        else:
            self._metrics.queue_drops.inc()
            most = self._config.queue_views
            what = f"frame {frame_id}: {most} views wait already: the engine is too slow"
            self._reject(job, Note(Reason.QUEUE_OVERFLOW, what), now_ns, placed.frames)

    def _reject(self, job: Job, note: Note, now_ns: int, frames: int = 1) -> None:
        job.frames_rejected(frames)
        self.hold_against(note)
        self._faults.note(note, now_ns, job.job_id)

    def inspected(self, event: ViewInspected) -> None:
        """The inspector is done with one view."""
        self._metrics.observe(Stage.QUEUE, event.queued_ns)
        self._metrics.observe(Stage.INSPECT, event.took_ns)
        self._metrics.observe_work(event.timings)
        if self._entry is not None and event.job == self._number:
            self._entry.times.inspect_ns.append(event.took_ns)
            self._entry.times.add(event.timings)
            self._entry.job.view_inspected(event.complete)

    # --- end -------------------------------------------------------------------------------------

    def step(self, now_ns: int) -> None:
        """Do what the job wants next."""
        entry = self._entry
        if entry is None:
            return
        job = entry.job
        step = job.next_step(now_ns)
        if step is Step.FLUSH:
            job.rejected += job.waiting
            for note in self._intake.flush():
                self.hold_against(note)
            step = job.next_step(now_ns)
        if step is Step.FINISH:
            job.finishing = True
            self._inspection.finish(self._number)
            entry.recording.asked(now_ns)
        elif step is Step.EXPIRE:
            self.declare(job.expired(now_ns), now_ns)

    def finished(self, event: JobFinished, now_ns: int) -> None:
        """The inspector has the verdict."""
        self._metrics.observe(Stage.FINISH, event.took_ns)
        self._metrics.observe_work(event.timings)
        entry = self._entry
        if entry is None or event.job != self._number:
            return
        entry.times.add(event.timings)
        if now_ns >= entry.job.expires_ns:  # the loop stood still: what was good in time is late
            self.declare(entry.job.expired(now_ns), now_ns)
            return
        timing = {**event.verdict.timing_ms, "finish": event.took_ns / NS_PER_MS}
        verdict = replace(event.verdict, timing_ms=timing)
        # the inspector was told of these; a verdict that forgot them is not believed
        forgotten = [note for note in entry.job.notes if note.reason not in verdict.reasons]
        decided = against(verdict, *forgotten) if forgotten else verdict
        self._decide(entry, decided, now_ns, self._inspection.call)

    @property
    def is_deciding(self) -> bool:
        """Whether the verdict of the open job is waited for."""
        return self.job is not None and self.job.is_deciding

    def declare(self, note: Note, now_ns: int) -> None:
        """End the job without asking the inspector: INDETERMINATE."""
        entry = self._entry
        if entry is not None:
            entry.recording.declared(note, now_ns)
            self._decide(entry, Verdict(notes=(note, *entry.job.notes)), now_ns)

    def wake_ns(self) -> int:
        """When `step` is due although nothing comes."""
        return FOREVER_NS if self.job is None else self.job.wake_ns()

    def _decide(
        self, entry: Entry, verdict: Verdict, now_ns: int, call: Call | None = None
    ) -> None:
        self._entry = None  # decided once, also when the journal fails on the way
        self._inspection.abandon()
        self._intake.end()
        self.book.close(entry, verdict, now_ns, call)
        self.on_closed(now_ns)


def _nobody(now_ns: int) -> None:
    """Nobody waits for the end of a job."""
