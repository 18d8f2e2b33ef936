"""An auditor sees every part, every change with its name, every gap, and whether it was altered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.kits.journalled import record, verdict
from voxgate.runtime.common.clock import Clock
from voxgate.runtime.records.audit import write_report
from voxgate.runtime.records.chain import Event, Kind
from voxgate.runtime.records.journal import Journal

DAY = datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    hours = iter(range(100))
    clock = Clock(lambda: 0, lambda: DAY + timedelta(hours=next(hours) / 10))
    with closing(Journal(path, clock)) as journal:
        journal.open_job(record("job-1"))
        journal.close_job(verdict("job-1", "res-1", passed=False))
        journal.note(Event(Kind.COMMAND, "bracket/2", "display <b>", "prepare_recipe"))
    return path


def report(path: Path) -> str:
    out = path.with_suffix(".html")
    write_report(path, DAY, DAY + timedelta(days=1), out)
    return out.read_text(encoding="utf-8")


def test_parts_changes_and_their_names_are_in_it_and_steer_no_page(path: Path) -> None:
    page = report(path)
    for said in (
        "job-1",
        "part-1",
        "INDETERMINATE",
        "journal_failed",
        "prepare_recipe",
        "bracket/2",
    ):
        assert said in page
    assert "display &lt;b&gt;" in page
    assert "It is whole." in page
    assert "1 parts: 1 INDETERMINATE" in page


def test_what_was_altered_stands_in_red(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE jobs SET part_id = 'another'")
    page = report(path)
    assert "It was altered" in page
    assert "job job-1: was altered" in page


def test_a_crash_is_a_gap(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM chain WHERE kind = 'closed'")
    Journal(path, Clock(lambda: 0, lambda: DAY + timedelta(hours=20))).close()
    assert "a crash, or the power" in report(path)


def test_another_day_is_empty(path: Path) -> None:
    out = path.with_suffix(".html")
    write_report(path, DAY - timedelta(days=2), DAY - timedelta(days=1), out)
    assert "0 parts: none" in out.read_text(encoding="utf-8")
