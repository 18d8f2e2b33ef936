"""The record of every job and its one verdict, written before anything is sent.

A job's row is there before the robot hears that it started, its result's row before anyone hears
the verdict. `job_id` is unique in both tables, so a second verdict cannot exist. Rows of jobs that
a crash left open are found by `open_jobs` at the next start.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.trusted.box_key import load_or_make
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Origin, Outcome
from voxgate.runtime.records.believed_time import BelievedTime
from voxgate.runtime.records.chain import THE_BOX, Chain, Event, Kind, digest_of
from voxgate.runtime.records.job_record import JobRecord, job_detail, origin_in, record_of
from voxgate.runtime.records.journal_lock import lock_journal
from voxgate.runtime.records.journal_proof import how_closed, is_proven, prune
from voxgate.runtime.records.journal_schema import ADDED, GOOD, NUMBERED, SCHEMA, SCHEMA_VERSION
from voxgate.runtime.wire.verdict import VerdictMessage

RESULT_COLUMNS = "result_id, job_id, outcome, message, created_utc"
FORGET_AT_ONCE = 50  # some ms: nobody waits longer for a verdict
_ADDED = ADDED
BUSY_S = 1.0  # wait for a person's sqlite3 shell, not longer: a robot waits for the verdict


@dataclass(frozen=True, slots=True)
class Retention:
    """How many verdicts are kept, and for how long."""

    max_rows: int
    max_age_s: float


class Journal:
    """One SQLite file, one writer. Every method raises ServiceError when the file fails.

    Raises ServiceError on opening when the file is not a journal, is damaged, cannot be written,
    or serves another process.
    """

    def __init__(self, path: Path, clock: Clock = HOST_CLOCK) -> None:
        self._path = path
        self._clock = clock
        self._believed = BelievedTime(clock)
        self._lock = lock_journal(path)
        try:
            key = load_or_make(path)
            self.public_key = key.public_key().public_bytes_raw().hex()
            self._db = self._open()
            self._chain = Chain(self._db, key, clock.utc_now)
            self._believed.last_known(self._chain.latest_utc)
            self.note(Event(Kind.OPENED, self.public_key, detail=self._before()))
        except ServiceError:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Fold the log into the file and let another process have it."""
        try:
            with suppress(ServiceError):  # a full disk: the next start says that this end was none
                self.note(Event(Kind.CLOSED, self.public_key))
            with self._told():
                self._db.close()
        finally:
            os.close(self._lock)

    def note(self, event: Event, wait: bool = True) -> None:
        """Put down what happened, and who asked for it. wait: for others who hold the file."""
        with self._patience(BUSY_S if wait else 0.0), self._told(), self._db:
            self._chain.append(event)

    def last_detail(self, kind: Kind, subject: str) -> str | None:
        """What the last entry of this kind about `subject` tells; None: there is none of ours."""
        with self._told():
            entry = self._chain.last((kind,), subject)
            known = entry is not None and self._chain.answers_for(entry)
        return entry.event.detail if entry is not None and known else None

    @property
    def head(self) -> str:
        """Number and hash of the last entry: who has it notices when entries are taken away."""
        with self._told():
            return self._chain.told_head()

    def latest_utc(self) -> datetime:
        """Now, or the latest time that was ever put down: a clock that is set back is not believed
        where something expires."""
        now, latest = self._clock.utc_now(), self._chain.latest_utc
        return now if latest is None else max(now, latest)

    def open_job(self, record: JobRecord, who: str = THE_BOX) -> bool:
        """Write the job down. False: this job_id was used before, nothing was written.

        who: asked for it.
        """
        job = record.job
        row = (
            *(job.job_id, job.part_id, job.recipe, job.configuration_id, int(job.is_simulated)),
            *(record.backend, self._clock.utc_now().isoformat()),
        )
        try:
            with self._told(), self._db:
                self._db.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                detail = job_detail(self._clock.quality(), record.origin)
                event = Event(Kind.JOB, job.job_id, who, detail, digest_of(row))
                self._chain.append(event)
        except _Duplicate:
            return False
        return True

    def close_job(self, verdict: VerdictMessage, who: str = THE_BOX) -> None:
        """Write the job's one verdict down. Raises ServiceError when it has one already.

        who: stopped the job.
        """
        try:
            with self._told(), self._db:
                self._insert(verdict, who=who)
        except _Duplicate as error:
            raise ServiceError(
                f"job {verdict.job_id} has a verdict already, or was never opened"
            ) from error

    def revoke(self, verdict: VerdictMessage, wait: bool = True) -> None:
        """After a failed write whose fate is unknown: what stands in the file becomes `verdict`.

        Only towards caution: raises ServiceError unless it is INDETERMINATE. wait: for others who
        hold the file, up to BUSY_S.
        """
        if verdict.outcome is not Outcome.INDETERMINATE:
            raise ServiceError("a verdict is only ever revoked towards INDETERMINATE")
        with self._patience(BUSY_S if wait else 0.0), self._told(), self._db:
            self._db.execute("DELETE FROM results WHERE job_id = ?", (verdict.job_id,))
            self._insert(verdict, Kind.REVOKED)

    def knows(self, job_id: str) -> bool:
        """Whether this job was ever opened."""
        return bool(self._rows("SELECT 1 FROM jobs WHERE job_id = ?", job_id))

    def result(self, job_id: str) -> VerdictMessage | None:
        """The verdict of this job, as it was sent; None when there is none.

        Raises ServiceError also for one that somebody else has written or altered.
        """
        rows = self._rows(f"SELECT {RESULT_COLUMNS} FROM results WHERE job_id = ?", job_id)
        if not rows:
            return None
        try:
            found = VerdictMessage.model_validate_json(rows[0][3])
        except ValidationError as error:
            raise ServiceError(
                f"{self._path}: the verdict of job {job_id} is unreadable: {first_finding(error)}"
            ) from error
        with self._told():
            proven = is_proven(self._chain, job_id, rows[0])
        if not proven:
            raise ServiceError(
                f"{self._path}: the verdict of job {job_id} is not the one that this box wrote: "
                "voxgate journal verify"
            )
        return found

    def acknowledge(self, result_id: str, who: str = THE_BOX) -> bool:
        """Note that the robot acted on this result. False: there is no such result."""
        with self._told(), self._db:
            changed = self._db.execute(
                "UPDATE results SET acknowledged_utc = coalesce(acknowledged_utc, ?) "
                "WHERE result_id = ?",
                (self._clock.utc_now().isoformat(), result_id),
            )
            if changed.rowcount == 1:
                self._chain.append(Event(Kind.ACKNOWLEDGED, result_id, who))
            return changed.rowcount == 1

    def unacknowledged(self, most: int, since: datetime) -> list[str]:
        """Result ids that nobody acknowledged: the newest `most` since then, oldest first."""
        rows = self._rows(
            "SELECT result_id, created_utc FROM results INDEXED BY unacknowledged_since "
            "WHERE acknowledged_utc IS NULL ORDER BY created_utc DESC LIMIT ?",
            most,
        )
        return [result_id for result_id, made in reversed(rows) if _utc(made) >= since]

    def unacknowledged_result(self, result_id: str) -> VerdictMessage | None:
        """The verdict under this id; None when it was acknowledged, or is not there."""
        rows = self._rows(
            "SELECT job_id FROM results WHERE result_id = ? AND acknowledged_utc IS NULL", result_id
        )
        return self.result(rows[0][0]) if rows else None

    def count_unacknowledged(self, most: int) -> tuple[int, str | None]:
        """How many verdicts nobody acknowledged, counted up to `most`; the oldest one's job_id."""
        ((count,),) = self._rows(
            "SELECT count(*) FROM (SELECT 1 FROM results INDEXED BY unacknowledged "
            "WHERE acknowledged_utc IS NULL LIMIT ?)",
            most,
        )
        oldest = self._rows(
            "SELECT job_id FROM results INDEXED BY unacknowledged_since "
            "WHERE acknowledged_utc IS NULL ORDER BY created_utc LIMIT 1"
        )
        return count, oldest[0][0] if oldest else None

    def good_recipes(self) -> tuple[str, ...]:
        """Recipes that had decided a part when the file was opened, the last one first."""
        rows = self._rows("SELECT recipe FROM good_recipes ORDER BY last_result DESC")
        return tuple(label for (label,) in rows)

    def open_jobs(self) -> list[JobRecord]:
        """Jobs without a verdict, oldest first: what a crash left behind."""
        rows = self._rows(
            "SELECT job_id, part_id, recipe, configuration_id, is_simulated, backend FROM jobs "
            "WHERE job_id NOT IN (SELECT job_id FROM results) ORDER BY opened_utc"
        )
        return [record_of(*row, origin=self._origin(row[0])) for row in rows]

    def _origin(self, job_id: str) -> Origin | None:
        """By what a job was to be inspected, as it was put down when it began."""
        detail = self.last_detail(Kind.JOB, job_id)
        return None if detail is None else origin_in(detail)

    def forget(self, keep: Retention, most: int = FORGET_AT_ONCE) -> int:
        """Drop the oldest verdicts with their jobs, at most so many at once; how many were.

        What is too old is judged by a clock that has not been set meanwhile, and nothing else.
        """
        old = self._oldest_beyond(keep, most)
        if not old:
            return 0
        with self._told(), self._db:
            self._db.execute(GOOD)  # a recipe stays good when its parts are forgotten
            self._db.executemany("DELETE FROM results WHERE job_id = ?", old)
            self._db.executemany("DELETE FROM jobs WHERE job_id = ?", old)
            for (job_id,) in old:
                self._chain.append(Event(Kind.FORGOTTEN, job_id))
            prune(self._db, self._chain)
        return len(old)

    def _oldest_beyond(self, keep: Retention, most: int) -> list[tuple[str]]:
        ((first, last),) = self._rows("SELECT min(number), max(number) FROM result_order")
        if first is None:
            return []
        too_many = last - keep.max_rows
        now = self._believed.utc_now()
        rows = self._rows(
            "SELECT number, job_id, created_utc FROM result_order JOIN results USING (result_id) "
            "ORDER BY number LIMIT ?",
            most,
        )
        return [
            (job_id,)
            for number, job_id, made in rows
            if number <= too_many
            or (now is not None and (now - _utc(made)).total_seconds() > keep.max_age_s)
        ]

    def _insert(
        self, verdict: VerdictMessage, kind: Kind = Kind.RESULT, who: str = THE_BOX
    ) -> None:
        row = (
            *(verdict.result_id, verdict.job_id, verdict.outcome.value),
            *(verdict.to_json().decode(), verdict.created_utc.isoformat()),
        )
        self._db.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, NULL)", row)
        self._chain.append(Event(kind, verdict.job_id, who, self._clock.quality(), digest_of(row)))

    def _before(self) -> str:
        with self._told():
            return how_closed(self._chain)

    def _rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        with self._told():
            return self._db.execute(query, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        with self._told():
            db = sqlite3.connect(self._path, timeout=BUSY_S)
            try:
                self._set_up(db)
            except (sqlite3.Error, ServiceError):
                db.close()
                raise
            return db

    def _set_up(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a power cut loses no verdict that was sent
        db.execute("PRAGMA foreign_keys = ON")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise ServiceError(
                f"{self._path}: journal of schema {version}, this VoxGate writes {SCHEMA_VERSION}: "
                "name another file in journal.path"
            )
        numbered = "SELECT 1 FROM sqlite_schema WHERE name = 'result_order'"
        made_once = "" if db.execute(numbered).fetchone() else NUMBERED
        db.executescript(f"BEGIN IMMEDIATE; {made_once} {_ADDED} COMMIT;")

    @contextmanager
    def _patience(self, busy_s: float) -> Iterator[None]:
        """Wait so long for others who hold the file."""
        with self._told():
            self._db.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
        try:
            yield
        finally:
            with self._told():
                self._db.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as one line that says what to do."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise _Duplicate from error
        except sqlite3.Error as error:
            raise ServiceError(
                f"{self._path}: the journal failed: {error}: check the disk's space and rights, "
                "or name another file in journal.path"
            ) from error


def _utc(written: str) -> datetime:
    return datetime.fromisoformat(written)


class _Duplicate(Exception):
    """A row that may exist once exists already."""
