"""Which verdicts nobody acknowledged: the newest, oldest first, found without reading the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.kits.journalled import record, verdict
from voxgate.runtime.records.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    for number in range(5):
        journal.open_job(record(f"job-{number}"))
        journal.close_job(verdict(f"job-{number}", f"res-{number}"))
    yield journal
    journal.close()


LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


def test_newest_open_results_come_oldest_first(journal: Journal) -> None:
    journal.acknowledge("res-3")
    assert journal.unacknowledged(3, LONG_AGO) == ["res-1", "res-2", "res-4"]
    assert journal.unacknowledged(3, datetime.now(tz=timezone.utc) + timedelta(days=999)) == []
    assert journal.count_unacknowledged(1000) == (4, "job-0")
    assert journal.count_unacknowledged(2) == (2, "job-0")
    for number in range(5):
        journal.acknowledge(f"res-{number}")
    assert journal.count_unacknowledged(1000) == (0, None)


def test_acknowledged_result_is_not_offered(journal: Journal) -> None:
    assert journal.unacknowledged_result("res-1") == verdict("job-1", "res-1")
    journal.acknowledge("res-1")
    assert journal.unacknowledged_result("res-1") is None
    assert journal.unacknowledged_result("never") is None


def test_million_acknowledged_rows_are_not_read(journal: Journal) -> None:
    asked: list[str] = []
    journal._db.set_trace_callback(asked.append)
    journal.count_unacknowledged(1000)
    journal.unacknowledged(32, LONG_AGO)
    journal._db.set_trace_callback(None)
    assert len(asked) == 3
    for query in asked:
        plan = str(journal._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
        assert "SEARCH results USING" in plan
        assert "INDEX unacknowledged" in plan
        assert "TEMP B-TREE" not in plan
