"""The last jobs of a cell, from its journal on this machine; the service may write meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.wire.verdict import VerdictMessage

QUERY = """
SELECT jobs.job_id, jobs.part_id, jobs.recipe, jobs.opened_utc, results.message,
       results.acknowledged_utc
FROM jobs LEFT JOIN results USING (job_id)
WHERE (:part IS NULL OR jobs.part_id = :part)
  AND (:outcome IS NULL OR results.outcome = :outcome)
ORDER BY jobs.opened_utc DESC, jobs.rowid DESC LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class PastJob:
    """One job, newest first. verdict None: it is open, or a crash left it open."""

    job_id: str
    part_id: str
    recipe: str
    opened_utc: str
    verdict: VerdictMessage | None
    acknowledged_utc: str | None


def last_jobs(
    journal: Path, most: int, part: str | None = None, outcome: Outcome | None = None
) -> list[PastJob]:
    """At most so many, newest first. Raises ServiceError when the journal cannot be read."""
    asked = {"most": most, "part": part, "outcome": None if outcome is None else outcome.value}
    try:
        with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as db:
            return list(_jobs(db.execute(QUERY, asked)))
    except sqlite3.Error as error:
        raise ServiceError(f"{journal}: cannot be read: {error}") from error
    except ValidationError as error:
        raise ServiceError(
            f"{journal}: holds no verdict of ours: voxgate journal verify"
        ) from error


def _jobs(rows: sqlite3.Cursor) -> Iterator[PastJob]:
    for job_id, part_id, recipe, opened_utc, message, acknowledged_utc in rows:
        verdict = None if message is None else VerdictMessage.model_validate_json(message)
        yield PastJob(job_id, part_id, recipe, opened_utc, verdict, acknowledged_utc)
