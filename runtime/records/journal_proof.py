"""What the chain says of the journal's rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from voxgate.runtime.records.chain import Chain, Kind, digest_of


def is_proven(chain: Chain, job_id: str, row: Sequence[str]) -> bool:
    """Whether a box wrote this very verdict. row: result_id, job_id, outcome, message, created_utc.

    One from before there was a chain is believed as it always was.
    """
    entry = chain.last((Kind.RESULT, Kind.REVOKED), job_id)
    if entry is not None:
        return entry.event.content == digest_of(row) and chain.answers_for(entry)
    begun = chain.begins_at()
    return begun is None or datetime.fromisoformat(row[4]) < datetime.fromisoformat(begun)


def how_closed(chain: Chain) -> str:
    """How the service before left the journal: a power cut is no tampering."""
    last, _ = chain.head()
    if not last:
        return "for the first time"
    clean = chain.kind_of(last) is Kind.CLOSED
    return "closed before" if clean else "not closed before: a crash, or the power"


def prune(db: sqlite3.Connection, chain: Chain) -> None:
    """Drop the entries that only tell of forgotten jobs, but keep by what configuration the oldest
    one left was inspected. Raises sqlite3.Error."""
    oldest = db.execute(
        "SELECT job_id FROM result_order JOIN results USING (result_id) ORDER BY number LIMIT 1"
    ).fetchone()
    entry = None if oldest is None else chain.last((Kind.JOB,), oldest[0])
    if entry is None:
        return
    before = "SELECT max(number) FROM chain WHERE kind = ? AND number < ?"
    (start,) = db.execute(before, (Kind.CONFIGURATION.value, entry.number)).fetchone()
    chain.prune((start or entry.number) - 1)
