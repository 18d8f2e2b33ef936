"""Jobs of a cell, from its journal on this machine; the service may write meanwhile.

What is asked for is found by an index, so that a page of 50 costs the same among 100,000 jobs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.wire.verdict import VerdictMessage

LOG_SUFFIX = "-wal"


@dataclass(frozen=True, slots=True)
class PastJob:
    """One job. verdict None: it is open, or a crash left it open.

    place: where it stands in the order that was asked for; the next older ones lie `before` it.
    """

    job_id: str
    part_id: str
    recipe: str
    opened_utc: str
    verdict: VerdictMessage | None
    acknowledged_utc: str | None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs; None: any. begin_utc is in it, end_utc is not (ISO 8601, as the journal has it).

    By the time a job was opened, or was decided where an outcome is asked for. job: the first
    characters of an id. before: `place` of the job after which to go on.
    """

    job: str | None = None
    part: str | None = None
    recipe: str | None = None
    outcome: Outcome | None = None
    begin_utc: str | None = None
    end_utc: str | None = None
    before: str | None = None

    @property
    def by(self) -> str:
        """The column of time that orders them."""
        return "jobs.opened_utc" if self.outcome is None else "results.created_utc"


def last_jobs(journal: Path, most: int, wanted: Wanted = Wanted()) -> list[PastJob]:
    """At most so many, newest first. Raises ServiceError when the journal cannot be read."""
    with reading(journal) as db:
        return list(_jobs(db.execute(*query(wanted, most))))


def job_of(journal: Path, job_id: str) -> PastJob | None:
    """The job of this very id; None: the journal knows none. Raises ServiceError."""
    found = last_jobs(journal, 1, Wanted(job=job_id))
    return found[0] if found and found[0].job_id == job_id else None


def query(wanted: Wanted, most: int) -> tuple[str, list[str | int]]:
    """SQL and its values."""
    asked = list(_conditions(wanted))
    where = " AND ".join(condition for condition, _ in asked)
    values: list[str | int] = [value for _, each in asked for value in each]
    tables = "results JOIN jobs" if wanted.outcome is not None else "jobs LEFT JOIN results"
    rowid = f"{tables.partition(' ')[0]}.rowid"
    order = "jobs.job_id" if wanted.job is not None else f"{wanted.by} DESC, {rowid} DESC"
    return (
        "SELECT jobs.job_id, jobs.part_id, jobs.recipe, jobs.opened_utc, results.message, "
        f"results.acknowledged_utc, {wanted.by} || '~' || {rowid} FROM {tables} USING (job_id) "
        f"{f'WHERE {where} ' if where else ''}ORDER BY {order} LIMIT ?",
        [*values, most],
    )


def _conditions(wanted: Wanted) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    table = "jobs" if wanted.outcome is None else "results"
    if wanted.outcome is not None:
        yield "results.outcome = ?", (wanted.outcome.value,)
    if wanted.part is not None:
        yield "jobs.part_id = ?", (wanted.part,)
    if wanted.recipe is not None:
        yield "jobs.recipe = ?", (wanted.recipe,)
    if wanted.job is not None:  # ids are ASCII: DEL comes after every one that begins so
        yield "jobs.job_id >= ? AND jobs.job_id < ?", (wanted.job, f"{wanted.job}\x7f")
    if wanted.begin_utc is not None:
        yield f"{wanted.by} >= ?", (wanted.begin_utc,)
    if wanted.end_utc is not None:
        yield f"{wanted.by} < ?", (wanted.end_utc,)
    if wanted.before is not None:
        utc, _, row = wanted.before.rpartition("~")
        yield f"({wanted.by}, {table}.rowid) < (?, ?)", (utc, int(row) if row.isdigit() else 0)


@contextmanager
def reading(journal: Path) -> Iterator[sqlite3.Connection]:
    """The journal's file, not to be written. Raises ServiceError when it cannot be read.

    Who may only read the folder finds no log there while no service runs: then nobody writes, and
    the file alone is all of it.
    """
    place, alone = journal.resolve().as_uri(), "&immutable=1"
    rest = "" if journal.with_name(journal.name + LOG_SUFFIX).exists() else alone
    try:
        with closing(sqlite3.connect(f"{place}?mode=ro{rest}", uri=True)) as db:
            yield db
    except sqlite3.Error as error:
        raise ServiceError(f"{journal}: cannot be read: {error}") from error
    except ValidationError as error:
        raise ServiceError(
            f"{journal}: holds no verdict of ours: voxgate journal verify"
        ) from error


def _jobs(rows: sqlite3.Cursor) -> Iterator[PastJob]:
    for job_id, part_id, recipe, opened_utc, message, acknowledged_utc, place in rows:
        verdict = None if message is None else VerdictMessage.model_validate_json(message)
        yield PastJob(job_id, part_id, recipe, opened_utc, verdict, acknowledged_utc, place)
