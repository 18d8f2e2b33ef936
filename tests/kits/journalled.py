"""Rows of a journal: a job as it is opened, and a verdict."""

from __future__ import annotations

from datetime import datetime, timezone

from voxgate.runtime.nouns import JobIdentity, Note, Outcome, Reason, Verdict
from voxgate.runtime.records.job_record import JobRecord
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import Header, verdict_message


def record(job_id: str = "job-1", recipe: str = "bracket/1") -> JobRecord:
    return JobRecord(identity(job_id, recipe), "scripted")


def identity(job_id: str, recipe: str = "bracket/1") -> JobIdentity:
    return JobIdentity(job_id, "part-1", recipe, "0123456789abcdef", is_simulated=True)


def verdict(job_id: str = "job-1", result_id: str = "res-1", passed: bool = True) -> VerdictMessage:
    header = Header(
        identity(job_id),
        result_id=result_id,
        created_utc=datetime(2026, 11, 22, 1, 2, 3, tzinfo=timezone.utc),
        backend="scripted",
    )
    good = Verdict(Outcome.PASS, (), 0.5, 0.99)
    bad = Verdict(notes=(Note(Reason.JOURNAL_FAILED, "disk full"),))
    return verdict_message(good if passed else bad, header)


def passing_verdict(job_id: str) -> VerdictMessage:
    """A PASS of nothing."""
    return VerdictMessage(
        result_id=f"result-{job_id}",
        job_id=job_id,
        part_id="part",
        recipe="bracket/1",
        configuration_id="0" * 16,
        is_simulated=True,
        created_utc=datetime.now(timezone.utc),
        outcome=Outcome.PASS,
        reasons=(),
        score=0.5,
        coverage=1.0,
        defects=(),
        defect_count=0,
        views=(),
        alignment=None,
        backend="none",
        timing_ms={},
    )
