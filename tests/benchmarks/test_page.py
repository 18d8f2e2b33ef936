"""The page is measured with as many jobs as are said, and with jobs that it can show."""

from __future__ import annotations

from pathlib import Path

from tests.kits.journalled import record, verdict
from voxgate.benchmarks.line.page import fill
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.remote.history import Wanted, job_of, last_jobs

COPIES = 300


def test_the_journal_is_filled_with_what_no_page_finds(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    for number, passed in enumerate((True, False)):
        journal.open_job(record(f"job-{number}"))
        journal.close_job(verdict(f"job-{number}", f"result-{number}", passed))
    journal.close()
    fill(path, COPIES)
    found = last_jobs(path, 1000)
    assert len(found) == COPIES + 2
    assert found[0].job_id == "job-1", "what was really inspected is the newest"
    doubtful = last_jobs(path, 1000, Wanted(outcome=Outcome.INDETERMINATE))
    assert len(doubtful) == COPIES + 1
    copy = job_of(path, "copy-7")
    assert copy is not None
    assert copy.verdict is not None
    assert copy.verdict.job_id == "copy-7"
