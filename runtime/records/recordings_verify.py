"""Are the recordings those that the journal tells of, and do they hold its verdicts?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from voxgate.runtime.common.trusted.bounded_file import sha256_of
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.wire.verdict import VerdictMessage


def altered_recordings(folder: Path, told: Mapping[str, str]) -> Iterator[str]:
    """Of those that are still there: the oldest give way. told: file -> sha256."""
    for name, own in told.items():
        try:
            found = sha256_of(folder / name)
        except OSError:
            continue
        if found != own:
            yield f"recording {name}: was altered"


def foreign_recordings(
    folder: Path, told: Mapping[str, str], since_utc: str, db: sqlite3.Connection
) -> Iterator[str]:
    """Those without an entry, as a kill right after the writing leaves one, hold the journal's own
    verdict or are not this box's. since_utc: when the chain begins."""
    for path in sorted(folder.glob("*.mcap")):
        if path.name not in told:
            yield from _foreign(path, since_utc, db)


def _foreign(path: Path, since_utc: str, db: sqlite3.Connection) -> Iterator[str]:
    try:
        recorded = read_job(path).verdict
    except (VoxGateError, OSError):
        recorded = None
    if recorded is None:
        yield f"recording {path.name}: is foreign, and no recording of a job"
    elif recorded.created_utc >= datetime.fromisoformat(since_utc) and recorded != _journalled(
        recorded.job_id, db
    ):
        yield f"recording {path.name}: holds another verdict than the journal"


def _journalled(job_id: str, db: sqlite3.Connection) -> VerdictMessage | None:
    row = db.execute("SELECT message FROM results WHERE job_id = ?", (job_id,)).fetchone()
    return None if row is None else VerdictMessage.model_validate_json(row[0])
