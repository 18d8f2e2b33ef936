"""Looking for a job among very many reads a few rows, and finds exactly what was asked for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.kits.journalled import passing_verdict, record, verdict
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.records.journal_schema import SCHEMA, SCHEMA_VERSION, SEARCHED
from voxgate.runtime.remote.history import Wanted, job_of, last_jobs, query, reading
from voxgate.runtime.wire.verdict import ReasonMessage

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
MANY = pytest.mark.parametrize(
    "many", [3000, pytest.param(100_000, marks=pytest.mark.nightly)], indirect=True
)
PAGE = 50
STEPS_A_ROW = 200  # of SQLite's machine, for a row that is shown; a row looked over takes some ten
ASKED = {
    "everything": Wanted(),
    "part": Wanted(part="p7"),
    "recipe": Wanted(recipe="bracket/2"),
    "job": Wanted(job="j12"),
    "outcome": Wanted(outcome=Outcome.FAIL),
    "time": Wanted(begin_utc="2026-01-01T00:10", end_utc="2026-01-01T00:20"),
    "outcome and time": Wanted(outcome=Outcome.FAIL, begin_utc="2026-01-01T00:10"),
    "part and time": Wanted(part="p7", end_utc="2026-01-01T00:30"),
}


@pytest.fixture(scope="module")
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of so many jobs, a second apart: each tenth FAIL, each hundredth left open."""
    path = tmp_path_factory.mktemp("journal") / "journal.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(f"{SCHEMA} {SEARCHED} PRAGMA user_version = {SCHEMA_VERSION};")
        for number in range(request.param):
            _write(db, number)
    return path


def _write(db: sqlite3.Connection, number: int) -> None:
    job_id, part_id, recipe = f"j{number}", f"p{number % 1000}", f"bracket/{number % 3}"
    utc = START + timedelta(seconds=number)
    job = (job_id, part_id, recipe, "0" * 16, 1, "none", utc.isoformat())
    db.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)", job)
    if number % 100 == 99:
        return
    bad = number % 10 == 0
    why = (ReasonMessage(reason=Reason.DEFECT, detail="a dent"),) if bad else ()
    outcome = Outcome.FAIL if bad else Outcome.PASS
    said = passing_verdict(job_id).model_copy(
        update={"created_utc": utc, "outcome": outcome, "reasons": why, "part_id": part_id}
    )
    row = (said.result_id, job_id, outcome.value, said.to_json().decode(), utc.isoformat())
    db.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, NULL)", row)


@MANY
@pytest.mark.parametrize("asked", ASKED)
def test_a_page_of_jobs_reads_the_whole_journal(many: Path, asked: str) -> None:
    steps = 0

    def counted() -> int:
        nonlocal steps
        steps += 1
        return 0

    sql, values = query(ASKED[asked], PAGE)
    with reading(many) as db:
        plan = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        db.set_progress_handler(counted, 1)
        rows = db.execute(sql, values).fetchall()
    assert rows
    assert not [step for step in plan if "TEMP B-TREE" in step], plan
    assert all("INDEX" in step for step in plan if step.startswith(("SCAN", "SEARCH"))), plan
    assert steps < STEPS_A_ROW * len(rows)


@MANY
@pytest.mark.parametrize("asked", [name for name in ASKED if name != "job"])
def test_going_on_shows_a_job_twice_or_leaves_one_out(many: Path, asked: str) -> None:
    wanted = ASKED[asked]
    both = last_jobs(many, 2 * PAGE, wanted)
    first = last_jobs(many, PAGE, wanted)
    then = last_jobs(many, PAGE, replace(wanted, before=first[-1].place))
    assert [job.job_id for job in (*first, *then)] == [job.job_id for job in both]
    assert all(_fits(job.part_id, job.recipe, wanted) for job in both)


def _fits(part_id: str, recipe: str, wanted: Wanted) -> bool:
    return wanted.part in (None, part_id) and wanted.recipe in (None, recipe)


@MANY
def test_a_job_is_taken_for_another_whose_name_begins_alike(many: Path) -> None:
    found = job_of(many, "j12")
    assert found is not None
    assert found.part_id == "p12"
    assert job_of(many, "j") is None
    assert job_of(many, "j99") is not None
    assert [each.verdict for each in last_jobs(many, 1, Wanted(job="j99"))] == [None]


def test_a_place_that_a_stranger_made_up_ends_in_a_traceback(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.open_job(record("a"))
    journal.close_job(verdict("a"))
    journal.close()
    assert last_jobs(tmp_path / "journal.sqlite", 5, Wanted(before="'; DROP TABLE jobs~x")) == []
    assert [each.job_id for each in last_jobs(tmp_path / "journal.sqlite", 5)] == ["a"]


def test_who_may_only_read_sees_nothing_while_no_service_runs(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    journal = Journal(folder / "journal.sqlite")
    journal.open_job(record("a"))
    before = set(folder.iterdir())
    assert [each.job_id for each in last_jobs(folder / "journal.sqlite", 5)] == ["a"], "in the log"
    assert set(folder.iterdir()) == before
    journal.close()
    before = set(folder.iterdir())
    assert [each.job_id for each in last_jobs(folder / "journal.sqlite", 5)] == ["a"]
    assert set(folder.iterdir()) == before, "reading made a file"
