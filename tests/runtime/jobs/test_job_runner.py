"""The last step of a job: what is published is on record, in time, and never more than that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kits.cell_kit import write_cell
from tests.kits.scripted_cell import Script, scripted
from voxgate.runtime.cameras.from_config import load_calibrations
from voxgate.runtime.common.clock import Clock
from voxgate.runtime.common.timings import NS_PER_MS, Timing, Work
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.jobs.events import JobFinished
from voxgate.runtime.jobs.inspection_thread import InspectionThread
from voxgate.runtime.jobs.intake import Intake
from voxgate.runtime.jobs.job_runner import JobRunner
from voxgate.runtime.jobs.verdict_book import VerdictBook
from voxgate.runtime.nouns import Outcome, Reason, Verdict
from voxgate.runtime.records.chain import THE_BOX
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.records.no_evidence import NoEvidence
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.telemetry.faults import Faults
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.commands import StartJob
from voxgate.runtime.wire.verdict import VerdictMessage

GOOD = Verdict(Outcome.PASS, (), 0.5, 0.99)


class UnsureJournal(Journal):
    """A file whose writes can fail although they arrive, and whose rows can be out of reach."""

    fails_after_writing = False
    locked = False

    def close_job(self, verdict: VerdictMessage, who: str = THE_BOX) -> None:
        super().close_job(verdict, who)
        if self.fails_after_writing:
            raise ServiceError("the journal failed: disk I/O error")

    def revoke(self, verdict: VerdictMessage, wait: bool = True) -> None:
        if self.locked:
            raise ServiceError("the journal failed: database is locked")
        super().revoke(verdict, wait)


class Bench:
    """A job runner with a worker that never runs; what it publishes and tells is kept."""

    def __init__(self, folder: Path) -> None:
        self.cell = load_cell(write_cell(folder))
        self.journal = UnsureJournal(self.cell.config.journal.path)
        self.published: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.now_ns = 10**12
        metrics = Metrics("test", ("cam0",))
        sync = Synchronizer(load_calibrations(self.cell.config), 20_000_000)
        prepare = scripted(Script())
        book = VerdictBook(
            *(self.cell, self.journal, NoEvidence(), metrics, self._publish),
            on_decided=lambda verdict, now_ns: None,
            on_journal_failed=lambda why, now_ns: self.failures.append(why),
            clock=Clock(lambda: self.now_ns, utc_now),
        )
        worker, intake = InspectionThread(prepare, lambda: None, 8), Intake(sync, metrics)
        faults = Faults("test", self._publish, metrics)
        self.runner = JobRunner(self.cell.config.job, book, worker, intake, faults, metrics)
        self.recipe = prepare("bracket")

    def play(self, age_ns: int = 0) -> dict[str, Any]:
        """A good part whose job began `age_ns` ago; the verdict that is published.

        The loop that hears of the inspector's verdict believes that next to no time went by.
        """
        started_ns = self.now_ns - age_ns
        command = StartJob(request_id="r", job_id="job-1", part_id="part-1")
        assert self.runner.open(command, self.recipe, started_ns)
        timings = (Timing(Work.SEGMENT, 3_000_000),)
        self.runner.finished(JobFinished(1, GOOD, 5_000_000, timings), started_ns + NS_PER_MS)
        (verdict,) = self.published
        return verdict

    def on_record(self) -> VerdictMessage | None:
        return self.journal.result("job-1")

    def _publish(self, topic: bytes, payload: bytes) -> None:
        self.published.append(json.loads(payload))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


def reasons(verdict: dict[str, Any]) -> list[str]:
    return [reason["reason"] for reason in verdict["reasons"]]


def test_good_part_in_time_passes_and_tells_where_the_time_went(bench: Bench) -> None:
    verdict = bench.play()
    assert verdict["outcome"] == "PASS"
    assert verdict["timing_ms"]["segment_total"] == 3.0
    assert verdict["timing_ms"]["finish"] == 5.0
    assert not bench.failures


def test_record_that_was_late_is_no_pass(bench: Bench) -> None:
    verdict = bench.play(age_ns=bench.cell.config.job.deadline_ms * NS_PER_MS)
    assert verdict["outcome"] == "INDETERMINATE"
    assert reasons(verdict) == [Reason.DEADLINE.value]
    assert bench.on_record() == bench.runner.book.result("job-1")
    assert bench.on_record() == VerdictMessage.model_validate_json(json.dumps(verdict))
    assert not bench.failures


def test_late_pass_that_cannot_be_withdrawn_stops_the_line(bench: Bench) -> None:
    bench.journal.locked = True
    verdict = bench.play(age_ns=bench.cell.config.job.deadline_ms * NS_PER_MS)
    assert verdict["outcome"] == "INDETERMINATE"
    assert bench.failures
    assert bench.runner.book.result("job-1") != bench.on_record()
    bench.journal.locked = False
    bench.runner.book.write_unwritten()  # `reset` does this
    assert bench.on_record() == VerdictMessage.model_validate_json(json.dumps(verdict))


def test_write_that_failed_but_arrived_is_withdrawn_before_anyone_hears(bench: Bench) -> None:
    bench.journal.fails_after_writing = True
    verdict = bench.play()
    assert reasons(verdict) == [Reason.JOURNAL_FAILED.value]
    assert len(bench.failures) == 1
    assert bench.on_record() == VerdictMessage.model_validate_json(json.dumps(verdict))
