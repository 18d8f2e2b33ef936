"""Does the journal prove itself? Every entry of its chain, and every row against its entry."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.chain import COLUMNS, Entry, Kind, digest_of
from voxgate.runtime.records.recordings_verify import altered_recordings, foreign_recordings

JOB_COLUMNS = "job_id, part_id, recipe, configuration_id, is_simulated, backend, opened_utc"
NEVER = "9999-12-31T00:00:00+00:00"
RESULT_COLUMNS = "result_id, job_id, outcome, message, created_utc"


@dataclass(slots=True)
class Verified:
    """What was found. keys: those that signed, the first one first; wrong: what does not fit, the
    first one first; unclosed: UTC of starts after a crash or a power cut, which are no tampering;
    unproven: verdicts from before there was a chain."""

    entries: int = 0
    jobs: int = 0
    verdicts: int = 0
    unproven: int = 0
    head: str = ""
    keys: list[str] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Said:
    """What the chain says of the rows."""

    begun_utc: str | None = None
    jobs: dict[str, str] = field(default_factory=dict)  # job_id -> hash of its row
    results: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    recordings: dict[str, str] = field(default_factory=dict)  # file -> sha256
    pruned_through: int = 0


def verify(
    journal: Path, key: str | None = None, head: str | None = None, evidence: Path | None = None
) -> Verified:
    """Everything, without waiting for the service or writing a byte.

    key: the box's public one, as its log says; head: an entry that must be there, as a heartbeat or
    the log said (`number:hash`). Raises ServiceError: no journal, or SQLite cannot read it.
    """
    if not journal.is_file():
        raise ServiceError(f"{journal}: there is no journal here: has this cell run yet?")
    found, said = Verified(), _Said()
    try:
        uri = f"{journal.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            db.execute("BEGIN")  # one moment of a journal that is being written
            found.wrong += _entries(db, found, said, key)
            found.wrong += _rows(db, found, said)
            found.wrong += _head(db, head)
            if evidence is not None:
                found.wrong += altered_recordings(evidence, said.recordings)
                since = said.begun_utc or NEVER
                found.wrong += foreign_recordings(evidence, said.recordings, since, db)
    except sqlite3.Error as error:
        raise ServiceError(f"{journal}: cannot be read: {error}") from error
    return found


def _entries(
    db: sqlite3.Connection, found: Verified, said: _Said, key: str | None
) -> Iterator[str]:
    previous: Entry | None = None
    for row in db.execute(f"SELECT {COLUMNS} FROM chain ORDER BY number"):
        try:
            entry = Entry.of_row(row)
        except ValueError:
            yield f"entry {row[0]}: is none"
            continue
        found.entries += 1
        yield from _in_its_place(entry, previous)
        yield from _signed(entry, found, key)
        _take(entry, previous, found, said)
        previous = entry
    found.head = "" if previous is None else f"{previous.number}:{previous.hash}"
    (first,) = db.execute("SELECT min(number) FROM chain").fetchone()
    if first is not None and first > said.pruned_through + 1:
        yield f"entries {said.pruned_through + 1} to {first - 1}: are missing"


def _in_its_place(entry: Entry, previous: Entry | None) -> Iterator[str]:
    if previous is None:
        if entry.number == 1 and not entry.follows(""):
            yield "entry 1: was altered"
        return
    if entry.number != previous.number + 1:
        yield f"entries {previous.number + 1} to {entry.number - 1}: are missing"
    elif not entry.follows(previous.hash):
        yield f"entry {entry.number} ({entry.event.kind.value} {entry.event.subject}): was altered"


def _signed(entry: Entry, found: Verified, key: str | None) -> Iterator[str]:
    if entry.event.kind is Kind.OPENED and entry.event.subject not in found.keys:
        found.keys.append(entry.event.subject)
        if key is not None and entry.event.subject != key:
            yield f"entry {entry.number}: opened by another box, {entry.event.subject}"
    signer = key or (found.keys[-1] if found.keys else None)
    try:
        known = signer and Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer))
    except ValueError:
        known = None
    if known and not entry.is_signed_by(known):
        yield f"entry {entry.number}: was not signed by this box"


def _take(entry: Entry, previous: Entry | None, found: Verified, said: _Said) -> None:
    event = entry.event
    if said.begun_utc is None:
        said.begun_utc = entry.utc
    if event.kind is Kind.OPENED and previous and previous.event.kind is not Kind.CLOSED:
        found.unclosed.append(entry.utc)
    elif event.kind is Kind.JOB:
        said.jobs[event.subject] = event.content
    elif event.kind in (Kind.RESULT, Kind.REVOKED):
        said.results[event.subject] = event.content
    elif event.kind is Kind.ACKNOWLEDGED:
        said.acknowledged.add(event.subject)
    elif event.kind is Kind.FORGOTTEN:
        said.forgotten.add(event.subject)
    elif event.kind is Kind.RECORDING:
        said.recordings[event.detail] = event.content
    elif event.kind is Kind.PRUNED and event.subject.isdigit():
        said.pruned_through = max(said.pruned_through, int(event.subject))


def _rows(db: sqlite3.Connection, found: Verified, said: _Said) -> Iterator[str]:
    jobs = {row[0]: row for row in db.execute(f"SELECT {JOB_COLUMNS} FROM jobs")}
    results = {row[1]: row for row in db.execute(f"SELECT {RESULT_COLUMNS} FROM results")}
    found.jobs, found.verdicts = len(jobs), len(results)
    for job_id, row in jobs.items():
        yield from _row(f"job {job_id}", row, said.jobs.get(job_id), row[6], said)
    for job_id, row in results.items():
        own = said.results.get(job_id)
        found.unproven += own is None
        yield from _row(f"the verdict of job {job_id}", row, own, row[4], said)
    for job_id in said.jobs.keys() - jobs.keys() - said.forgotten:
        yield f"job {job_id}: is missing"
    for job_id in said.results.keys() - results.keys() - said.forgotten:
        yield f"the verdict of job {job_id}: is missing"
    noted = "SELECT result_id, created_utc FROM results WHERE acknowledged_utc IS NOT NULL"
    for result_id, utc in db.execute(noted):
        if result_id not in said.acknowledged and not _is_older(utc, said):
            yield f"result {result_id}: is acknowledged, and nobody did"


def _row(
    what: str, row: tuple[str | int, ...], own: str | None, utc: str, said: _Said
) -> Iterator[str]:
    if own is None and not _is_older(utc, said):
        yield f"{what}: is foreign, this box did not write it"
    elif own is not None and own != digest_of(row):
        yield f"{what}: was altered"


def _is_older(utc: str, said: _Said) -> bool:
    """Whether it was written before there was a chain."""
    if said.begun_utc is None:
        return True
    return datetime.fromisoformat(utc) < datetime.fromisoformat(said.begun_utc)


def _head(db: sqlite3.Connection, head: str | None) -> Iterator[str]:
    if head is None:
        return
    number, _, own = head.partition(":")
    row = db.execute("SELECT hash FROM chain WHERE number = ?", (number,)).fetchone()
    if row is None or not own or not str(row[0]).startswith(own):
        yield f"entry {number}: is not the one that was told"
