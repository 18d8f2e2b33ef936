"""The open job from start to its one verdict: views to the worker, the verdict to the journal.

The order that matters: the job's row before `opened`, the verdict's row before it is published.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from voxgate.runtime.common.timings import FOREVER_NS, NS_PER_MS, JobTimes
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.jobs.intake import Intake, PlacedView
from voxgate.runtime.jobs.job import Job, Step
from voxgate.runtime.jobs.worker import (
    JobFinished,
    JobWorker,
    PartInspector,
    Prepared,
    ViewInspected,
)
from voxgate.runtime.nouns import Frame, Note, Outcome, Reason, Verdict
from voxgate.runtime.records.evidence_store import EvidenceStore, VolumeSlot
from voxgate.runtime.records.journal import JobRecord, Journal
from voxgate.runtime.scans.recording import FusedVolume, JobHeader, Recording
from voxgate.runtime.sync.stamps import stamps
from voxgate.runtime.telemetry.faults import Faults, Publish
from voxgate.runtime.telemetry.metrics import Metrics, Stage
from voxgate.runtime.volume.volume import Volume
from voxgate.runtime.wire.commands import Command, StartJob
from voxgate.runtime.wire.published import verdict_topic
from voxgate.runtime.wire.verdict import MAX_REASONS, EvidenceStatus, VerdictMessage
from voxgate.runtime.wire.verdict_message import Header, against, verdict_message

log = logging.getLogger(__name__)


class JobRunner:
    """At most one job at a time. `on_decided` hears every verdict after it is published."""

    def __init__(
        self,
        cell: Cell,
        journal: Journal,
        worker: JobWorker,
        intake: Intake,
        faults: Faults,
        metrics: Metrics,
        publish: Publish,
        on_decided: Callable[[VerdictMessage, int], None],
        on_journal_failed: Callable[[str, int], None],
        evidence: EvidenceStore | None = None,
    ) -> None:
        self.job: Job | None = None
        self._cell = cell
        self._journal = journal
        self._worker = worker
        self._intake = intake
        self._faults = faults
        self._metrics = metrics
        self._publish = publish
        self._on_decided = on_decided
        self._on_journal_failed = on_journal_failed
        self._evidence = evidence
        self._recording: Recording | None = None
        self._number = 0
        self._record: JobRecord | None = None
        self._notes = 0
        self._times = JobTimes()
        self._unwritten: VerdictMessage | None = None

    # --- begin -----------------------------------------------------------------------------------

    def open(self, command: StartJob, recipe: Prepared, now_ns: int) -> bool:
        """Open the job; False when its id was used before. Raises ServiceError: nothing opened."""
        record = JobRecord(
            job_id=command.job_id,
            part_id=command.part_id,
            recipe=recipe.label,
            configuration_id=self._cell.configuration_id,
            is_simulated=self._cell.config.is_simulated,
            backend=recipe.backend,
        )
        if not self._journal.open_job(record):
            return False
        config = self._cell.config.job
        self._record = record
        self._number += 1
        self._notes = 0
        self._times = JobTimes()
        self.job = Job(
            job_id=command.job_id,
            part_id=command.part_id,
            planned=recipe.planned,
            started_ns=now_ns,
            deadline_ns=now_ns + config.deadline_ms * NS_PER_MS,
            late_frame_ns=config.late_frame_ms * NS_PER_MS,
        )
        self._recording = self._new_recording(record, now_ns)
        self._intake.begin(self._recording)
        self.told(command, now_ns)
        self._worker.begin(self._number)
        return True

    def _new_recording(self, record: JobRecord, now_ns: int) -> Recording | None:
        if self._evidence is None:
            return None
        header = JobHeader(
            cell=self._cell.config.cell,
            job_id=record.job_id,
            part_id=record.part_id,
            recipe=record.recipe,
            configuration_id=record.configuration_id,
            is_simulated=record.is_simulated,
            started_ns=now_ns,
            started_utc=utc_now().isoformat(),
            settings=line_settings(self._cell.config),
        )
        return self._evidence.begin(header)

    def told(self, command: Command, now_ns: int) -> None:
        """A command of the robot that the job's recording shows."""
        if self._recording is not None:
            self._recording.told(command, now_ns)

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
        if self.job is None:
            return
        self._notes += 1
        if self._notes <= MAX_REASONS:  # one is enough for INDETERMINATE
            self._worker.reject(self._number, note)
            self.job.notes.append(note)
            if self._recording is not None:
                self._recording.held(note)

    def pump(self, now_ns: int) -> None:
        """Move what found its pose on to the worker."""
        stepped = self._intake.stepped()
        if stepped is not None:
            self.hold_against(stepped)
            self._faults.note(stepped, now_ns, None if self.job is None else self.job.job_id)
        for result in self._intake.take(now_ns):
            if self.job is None:
                continue
            if isinstance(result, PlacedView):
                self._hand_over(self.job, result, now_ns)
            else:
                self._reject(self.job, result.note, now_ns)

    def _hand_over(self, job: Job, placed: PlacedView, now_ns: int) -> None:
        frame_id = placed.view.frame_id
        if job.is_stale(placed.exposure_end_ns, placed.residual_ns):
            after_ms = (placed.exposure_end_ns - job.started_ns) / NS_PER_MS
            what = (
                f"frame {frame_id}: exposed {after_ms:.0f} ms after start_job, give or take "
                f"{placed.residual_ns / NS_PER_MS:.0f}: it may show the part before"
            )
            self._reject(job, Note(Reason.FRAME_INVALID, what), now_ns)
        elif self._worker.add(self._number, placed.view):
            job.view_placed(placed.exposure_end_ns)
            if self._recording is not None:
                self._recording.handed(placed.view)
        else:
            self._metrics.queue_drops.inc()
            most = self._cell.config.job.queue_views
            what = f"frame {frame_id}: {most} views wait already: the engine is too slow"
            self._reject(job, Note(Reason.QUEUE_OVERFLOW, what), now_ns)

    def _reject(self, job: Job, note: Note, now_ns: int) -> None:
        job.frame_rejected()
        self.hold_against(note)
        self._faults.note(note, now_ns, job.job_id)

    def inspected(self, event: ViewInspected) -> None:
        """The worker is done with one view."""
        self._metrics.observe(Stage.QUEUE, event.queued_ns)
        self._metrics.observe(Stage.INSPECT, event.took_ns)
        self._metrics.observe_work(event.timings)
        if self.job is not None and event.job == self._number:
            self._times.inspect_ns.append(event.took_ns)
            self._times.add(event.timings)
            self.job.view_inspected(event.complete)

    # --- end -------------------------------------------------------------------------------------

    def step(self, now_ns: int) -> None:
        """Do what the job wants next."""
        job = self.job
        if job is None:
            return
        step = job.next_step(now_ns)
        if step is Step.FLUSH:
            job.rejected += job.waiting_for_pose
            self.hold_against(self._intake.flush())
            step = job.next_step(now_ns)
        if step is Step.FINISH:
            job.finishing = True
            self._worker.finish(self._number)
            if self._recording is not None:
                self._recording.asked(now_ns)
        elif step is Step.EXPIRE:
            self.declare(job.expired(now_ns), now_ns)

    def finished(self, event: JobFinished, now_ns: int) -> None:
        """The worker has the verdict."""
        self._metrics.observe(Stage.FINISH, event.took_ns)
        self._metrics.observe_work(event.timings)
        job = self.job
        if job is None or event.job != self._number:
            return
        self._times.add(event.timings)
        if now_ns >= job.expires_ns:  # the loop stood still: what was good in time is late now
            self.declare(job.expired(now_ns), now_ns)
            return
        timing = {**event.verdict.timing_ms, "finish": event.took_ns / NS_PER_MS}
        verdict = replace(event.verdict, timing_ms=timing)
        # the inspector was told of these; a verdict that forgot them is not believed
        forgotten = [note for note in job.notes if note.reason not in verdict.reasons]
        decided = against(verdict, *forgotten) if forgotten else verdict
        self._decide(decided, now_ns, finished=True)

    def declare(self, note: Note, now_ns: int) -> None:
        """End the job without asking the inspector: INDETERMINATE."""
        if self.job is not None:
            if self._recording is not None:
                self._recording.declared(note, now_ns)
            self._decide(Verdict(notes=(note, *self.job.notes)), now_ns)

    def wake_ns(self) -> int:
        """When `step` is due although nothing comes."""
        return FOREVER_NS if self.job is None else self.job.wake_ns()

    def _decide(self, verdict: Verdict, now_ns: int, finished: bool = False) -> None:
        job, record = self.job, self._record
        assert job is not None
        assert record is not None
        self.job = self._record = None  # decided once, also when the journal fails on the way
        self._worker.abandon()
        self._intake.end()
        timed = replace(verdict, timing_ms=verdict.timing_ms | self._timing_ms(job, now_ns))
        evidence = self._promised(verdict.outcome)
        message = self._journalled(timed, record, job.deadline_ns, evidence)
        self._send(message)
        self._measure(job, message)
        self._on_decided(message, now_ns)
        self._keep(message, finished)

    def _promised(self, outcome: Outcome) -> EvidenceStatus:
        if self._evidence is None or self._recording is None:
            return EvidenceStatus.OFF
        return self._evidence.promise(self._recording, outcome)

    def _keep(self, message: VerdictMessage, finished: bool) -> None:
        """Behind the verdict: the recording, and the volume that the inspector still holds."""
        recording, self._recording = self._recording, None
        if recording is None or message.evidence is not EvidenceStatus.QUEUED:
            return
        assert self._evidence is not None
        slot = VolumeSlot() if finished else None
        if slot is not None:
            self._worker.call(lambda inspector: slot.put(_fused_volume(inspector)))
        self._evidence.keep(recording, message, slot)

    def _journalled(
        self, verdict: Verdict, record: JobRecord, deadline_ns: int, evidence: EvidenceStatus
    ) -> VerdictMessage:
        message = verdict_message(verdict, _header(record, evidence))
        begun_ns = time.monotonic_ns()
        try:
            self._journal.close_job(message)
        except ServiceError as error:
            self._on_journal_failed(str(error), begun_ns)
            note = Note(Reason.JOURNAL_FAILED, str(error))
            return self._withdrawn(verdict, record, note, evidence)
        ended_ns = time.monotonic_ns()
        self._metrics.observe(Stage.JOURNAL, ended_ns - begun_ns)
        if message.outcome is not Outcome.INDETERMINATE and ended_ns >= deadline_ns:
            took_ms = (ended_ns - begun_ns) / NS_PER_MS
            late = f"the verdict was on record after the deadline: writing took {took_ms:.0f} ms"
            message = self._withdrawn(verdict, record, Note(Reason.DEADLINE, late), evidence)
            if self._unwritten is message:  # the file still says otherwise
                self._on_journal_failed("a late verdict could not be withdrawn", ended_ns)
        return message

    def _withdrawn(
        self, verdict: Verdict, record: JobRecord, note: Note, evidence: EvidenceStatus
    ) -> VerdictMessage:
        """INDETERMINATE in place of `verdict`, of which the file may hold nothing, or all.

        A write that failed can still be there after a crash, so its place is taken at once. What
        cannot be written now is kept, and written when the journal is mended.
        """
        message = verdict_message(against(verdict, note), _header(record, evidence))
        if self._recording is not None:
            self._recording.withdrawn(note)
        try:
            self._journal.revoke(message, wait=False)
        except ServiceError as error:
            log.warning("job=%s: its verdict has no record yet: %s", record.job_id, error)
            self._unwritten = message
        return message

    def _send(self, message: VerdictMessage) -> None:
        self._publish(verdict_topic(self._cell.config.cell), message.to_json())

    def _timing_ms(self, job: Job, now_ns: int) -> dict[str, float]:
        timing = {"job": (now_ns - job.started_ns) / NS_PER_MS, **self._times.in_ms()}
        if job.last_exposure_ns is not None:
            elapsed_ns = max(0, now_ns - job.last_exposure_ns)
            timing["last_exposure_to_decision"] = elapsed_ns / NS_PER_MS
        return timing

    def _measure(self, job: Job, message: VerdictMessage) -> None:
        now_ns = time.monotonic_ns()
        waited_s = None
        if job.last_exposure_ns is not None:
            waited_s = max(0, now_ns - job.last_exposure_ns) / 1e9
        self._metrics.observe_verdict(message, (now_ns - job.started_ns) / 1e9, waited_s)
        log.info(
            "job=%s part=%s recipe=%s outcome=%s reasons=%s score=%s coverage=%s defects=%d "
            "views=%d/%d job_ms=%.0f result=%s",
            *(message.job_id, message.part_id, message.recipe, message.outcome.value),
            ",".join(dict.fromkeys(r.reason.value for r in message.reasons)) or "-",
            *(message.score, message.coverage, message.defect_count, job.inspected, job.planned),
            *((now_ns - job.started_ns) / NS_PER_MS, message.result_id),
        )

    # --- across crashes and failing disks --------------------------------------------------------

    def close_crashed(self) -> None:
        """Give every job that a crash left open its verdict. Raises ServiceError."""
        for record in self._journal.open_jobs():
            note = Note(Reason.CRASHED, "the service ended before this job had a verdict")
            lost = EvidenceStatus.OFF if self._evidence is None else EvidenceStatus.MISSING
            message = verdict_message(Verdict(notes=(note,)), _header(record, lost))
            self._journal.close_job(message)
            self._send(message)
            self._metrics.count_verdict(message)
            log.warning("job=%s was left open by a crash: INDETERMINATE", record.job_id)

    def write_unwritten(self) -> None:
        """Record the verdict that the journal would not take. Raises ServiceError."""
        if self._unwritten is not None:
            self._journal.revoke(self._unwritten)
            self._unwritten = None

    def result(self, job_id: str) -> VerdictMessage | None:
        """The verdict of this job as it was sent. Raises ServiceError."""
        if self._unwritten is not None and self._unwritten.job_id == job_id:
            return self._unwritten
        return self._journal.result(job_id)

    def knows(self, job_id: str) -> bool:
        """Whether this job id was ever used. Raises ServiceError."""
        return self._journal.knows(job_id)

    def acknowledge(self, result_id: str) -> bool:
        """Note that the robot acted on it; False: no such result. Raises ServiceError."""
        if self._unwritten is not None and self._unwritten.result_id == result_id:
            return True
        return self._journal.acknowledge(result_id)


def line_settings(config: CellConfig) -> dict[str, object]:
    """By what this cell places views and inspects: what a replay must know."""
    how = stamps(config)
    return {
        "limits": config.limits.model_dump(),
        "max_gap_ns": int(config.sync.max_gap_ms * NS_PER_MS),
        "on_arrival": how.on_arrival,
        "shared_ns": how.shared_ns,
        "backend": config.engine.backend,
        "threads": config.engine.threads,
    }


def _fused_volume(inspector: PartInspector) -> FusedVolume | None:
    """The volume of the last part. Never raises: evidence is no reason to stop the line."""
    volume = getattr(inspector, "volume", None)
    if not isinstance(volume, Volume):
        return None
    try:
        return FusedVolume(volume.occupied(), volume.grid)
    except Exception:
        log.exception("the volume cannot be kept")
        return None


def _header(record: JobRecord, evidence: EvidenceStatus) -> Header:
    return Header(
        result_id=uuid.uuid4().hex,
        job_id=record.job_id,
        part_id=record.part_id,
        recipe=record.recipe,
        configuration_id=record.configuration_id,
        is_simulated=record.is_simulated,
        created_utc=utc_now(),
        backend=record.backend,
        evidence=evidence,
    )
