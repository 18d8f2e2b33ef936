"""Every job's row and its one verdict: decided -> journalled -> published -> measured -> kept.

The order that matters: the job's row before anyone hears that it started, the verdict's row before
anyone hears the verdict.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.common.timings import NS_PER_MS, JobTimes
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.jobs.job import Job
from voxgate.runtime.jobs.part_inspector import PartInspector, Prepared
from voxgate.runtime.nouns import JobIdentity, Note, Outcome, Reason, Verdict
from voxgate.runtime.records.chain import THE_BOX, Event
from voxgate.runtime.records.evidence_store import VolumeSlot
from voxgate.runtime.records.job_record import JobRecord
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.records.no_evidence import Evidence
from voxgate.runtime.scans.line import Line
from voxgate.runtime.scans.recording import FusedVolume, JobHeader, Recording
from voxgate.runtime.telemetry.faults import Publish
from voxgate.runtime.telemetry.metrics import Metrics, Stage
from voxgate.runtime.volume.volume import Volume
from voxgate.runtime.wire.published import verdict_topic
from voxgate.runtime.wire.verdict import EvidenceStatus, VerdictMessage
from voxgate.runtime.wire.verdict_message import Header, against, verdict_message

log = logging.getLogger(__name__)

OnDecided = Callable[[VerdictMessage, int], None]
OnJournalFailed = Callable[[str, int], None]
Call = Callable[[Callable[[PartInspector], None]], None]
"""Has a task done by the inspection thread, with its inspector."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One job in the book, from its row to its verdict."""

    job: Job
    record: JobRecord
    recording: Recording
    times: JobTimes = field(default_factory=JobTimes)


class VerdictBook:
    """Of one cell. Hears of a verdict after it is published: on_decided."""

    def __init__(
        self,
        cell: Cell,
        journal: Journal,
        evidence: Evidence,
        metrics: Metrics,
        publish: Publish,
        on_decided: OnDecided,
        on_journal_failed: OnJournalFailed,
        clock: Clock = HOST_CLOCK,
    ) -> None:
        self._cell = cell
        self._journal = journal
        self._evidence = evidence
        self._metrics = metrics
        self._publish = publish
        self._on_decided = on_decided
        self._on_journal_failed = on_journal_failed
        self._clock = clock
        self._topic = verdict_topic(cell.config.cell)
        self._settings = Line.from_config(cell.config).values()
        self._unwritten: VerdictMessage | None = None

    # --- one job ---------------------------------------------------------------------------------

    def open(self, job: Job, recipe: Prepared, who: str = THE_BOX) -> Entry | None:
        """Write the job down; None: its id was used before. Raises ServiceError: not opened.

        who: asked for it.
        """
        identity = JobIdentity(
            job_id=job.job_id,
            part_id=job.part_id,
            recipe=recipe.label,
            configuration_id=self._cell.configuration_id,
            is_simulated=self._cell.config.is_simulated,
        )
        record = JobRecord(identity, recipe.backend, recipe.origin)
        if not self._journal.open_job(record, who):
            return None
        header = JobHeader(
            identity,
            cell=self._cell.config.cell,
            started_ns=job.started_ns,
            started_utc=self._clock.utc_now().isoformat(),
            settings=self._settings,
        )
        return Entry(job, record, self._evidence.begin(header))

    def close(self, entry: Entry, verdict: Verdict, now_ns: int, call: Call | None) -> None:
        """The one verdict of a job that is decided. call: asks for the volume; None: there is none.

        What is sent is on record, in time; what cannot be is withdrawn first.
        """
        timed = replace(verdict, timing_ms=verdict.timing_ms | _timing_ms(entry, now_ns))
        status = self._evidence.promise(entry.recording, verdict.outcome)
        message = self._journalled(entry, timed, status)
        self._send(message)
        self._measure(entry.job, message)
        self._on_decided(message, now_ns)
        self._keep(entry.recording, message, call)

    def _journalled(
        self, entry: Entry, verdict: Verdict, evidence: EvidenceStatus
    ) -> VerdictMessage:
        message = self._message(verdict, entry.record, evidence)
        begun_ns = self._clock.monotonic_ns()
        try:
            self._journal.close_job(message, entry.job.stopped_by)
        except ServiceError as error:
            self._on_journal_failed(str(error), begun_ns)
            note = Note(Reason.JOURNAL_FAILED, str(error))
            return self._withdrawn(entry, verdict, note, evidence)
        ended_ns = self._clock.monotonic_ns()
        self._metrics.observe(Stage.JOURNAL, ended_ns - begun_ns)
        if message.outcome is not Outcome.INDETERMINATE and ended_ns >= entry.job.deadline_ns:
            took_ms = (ended_ns - begun_ns) / NS_PER_MS
            late = f"the verdict was on record after the deadline: writing took {took_ms:.0f} ms"
            message = self._withdrawn(entry, verdict, Note(Reason.DEADLINE, late), evidence)
            if self._unwritten is message:  # the file still says otherwise
                self._on_journal_failed("a late verdict could not be withdrawn", ended_ns)
        return message

    def _withdrawn(
        self, entry: Entry, verdict: Verdict, note: Note, evidence: EvidenceStatus
    ) -> VerdictMessage:
        """INDETERMINATE in place of `verdict`, of which the file may hold nothing, or all.

        A write that failed can still be there after a crash, so its place is taken at once. What
        cannot be written now is kept, and written when the journal is mended.
        """
        message = self._message(against(verdict, note), entry.record, evidence)
        entry.recording.withdrawn(note)
        try:
            self._journal.revoke(message, wait=False)
        except ServiceError as error:
            log.warning("job=%s: its verdict has no record yet: %s", message.job_id, error)
            self._unwritten = message
        return message

    def _send(self, message: VerdictMessage) -> None:
        self._publish(self._topic, message.to_json())

    def _measure(self, job: Job, message: VerdictMessage) -> None:
        now_ns = self._clock.monotonic_ns()
        waited_s = None
        if job.last_exposure_ns is not None:
            waited_s = max(0, now_ns - job.last_exposure_ns) / 1e9
        self._metrics.observe_verdict(message, (now_ns - job.started_ns) / 1e9, waited_s)
        log.info(
            "job=%s part=%s recipe=%s digest=%s signer=%s calibration=%s configuration=%s "
            "outcome=%s reasons=%s score=%s coverage=%s defects=%d views=%d/%d job_ms=%.0f "
            "result=%s head=%s",
            *(message.job_id, message.part_id, message.recipe, *_short(message)),
            *(message.configuration_id, message.outcome.value),
            ",".join(dict.fromkeys(r.reason.value for r in message.reasons)) or "-",
            *(message.score, message.coverage, message.defect_count, job.inspected, job.planned),
            *((now_ns - job.started_ns) / NS_PER_MS, message.result_id, self._head()),
        )

    def _head(self) -> str:
        """Of the journal's chain; "-" while the file fails."""
        try:
            return self._journal.head
        except ServiceError:
            return "-"

    def _keep(self, recording: Recording, message: VerdictMessage, call: Call | None) -> None:
        """Behind the verdict: the recording, and the volume that the inspector still holds."""
        if message.evidence is not EvidenceStatus.QUEUED:
            return
        slot = None
        if call is not None:
            slot = VolumeSlot()
            put = slot.put
            call(lambda inspector: put(_fused_volume(inspector)))
        self._evidence.keep(recording, message, slot)

    def _message(
        self, verdict: Verdict, record: JobRecord, evidence: EvidenceStatus
    ) -> VerdictMessage:
        header = Header(
            record.job,
            result_id=uuid.uuid4().hex,
            created_utc=self._clock.utc_now(),
            backend=record.backend,
            evidence=evidence,
            origin=record.origin,
        )
        return verdict_message(verdict, header)

    # --- across crashes and failing disks --------------------------------------------------------

    def close_crashed(self) -> None:
        """Give every job that a crash left open its verdict. Raises ServiceError."""
        for record in self._journal.open_jobs():
            note = Note(Reason.CRASHED, "the service ended before this job had a verdict")
            message = self._message(Verdict(notes=(note,)), record, self._evidence.after_crash)
            self._journal.close_job(message)
            self._send(message)
            self._metrics.count_verdict(message)
            log.warning("job=%s was left open by a crash: INDETERMINATE", record.job.job_id)

    def write_unwritten(self) -> None:
        """Record the verdict that the journal would not take. Raises ServiceError."""
        if self._unwritten is not None:
            self._journal.revoke(self._unwritten)
            self._unwritten = None

    # --- asked by the robot ----------------------------------------------------------------------

    def result(self, job_id: str) -> VerdictMessage | None:
        """The verdict of this job as it was sent. Raises ServiceError."""
        if self._unwritten is not None and self._unwritten.job_id == job_id:
            return self._unwritten
        return self._journal.result(job_id)

    def knows(self, job_id: str) -> bool:
        """Whether this job id was ever used. Raises ServiceError."""
        return self._journal.knows(job_id)

    def acknowledge(self, result_id: str, who: str = THE_BOX) -> bool:
        """Note that the robot acted on it; False: no such result. Raises ServiceError."""
        if self._unwritten is not None and self._unwritten.result_id == result_id:
            return True
        return self._journal.acknowledge(result_id, who)

    def note(self, event: Event) -> None:
        """Put down what happened, and who asked for it. Raises ServiceError."""
        self._journal.note(event)


def _short(message: VerdictMessage) -> tuple[str, str, str]:
    """Digest and signer of the recipe and the calibration's digest for the log; the verdict has all
    of it."""
    if message.origin is None:
        return "-", "-", "-"
    origin = message.origin
    return (
        origin.recipe_digest[:12] or "-",
        origin.signer or "-",
        origin.calibration_digest[:12] or "-",
    )


def _timing_ms(entry: Entry, now_ns: int) -> dict[str, float]:
    job = entry.job
    timing = {"job": (now_ns - job.started_ns) / NS_PER_MS, **entry.times.in_ms()}
    if job.last_exposure_ns is not None:
        elapsed_ns = max(0, now_ns - job.last_exposure_ns)
        timing["last_exposure_to_decision"] = elapsed_ns / NS_PER_MS
    return timing


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
