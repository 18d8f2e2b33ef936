"""A copy of the journal while the line runs: whole, in one file, proven before it has its name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.common.durable import sync
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.journal_schema import SCHEMA_VERSION

DRAFT = ".draft"
PAGES = 500  # at once: whoever writes meanwhile waits for none of them


@dataclass(frozen=True, slots=True)
class Copied:
    """What is in the copy."""

    jobs: int
    verdicts: int
    last_job: str | None


def copy_journal(journal: Path, target: Path) -> Copied:
    """Copy with everything that was written up to now, also what the log still holds.

    Raises ServiceError when there is no journal, the target exists, or the copy is not whole.
    """
    if target.exists():
        raise ServiceError(f"{target}: exists already: name a new file")
    draft = target.with_name(target.name + DRAFT)
    try:
        copied = _copied(journal, draft)
        draft.replace(target)
        sync(target.parent)
    except sqlite3.Error as error:
        raise ServiceError(f"{journal}: cannot be copied to {target}: {error}") from error
    except OSError as error:
        raise ServiceError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return copied


def _copied(journal: Path, draft: Path) -> Copied:
    if not journal.is_file():
        raise ServiceError(f"{journal}: there is no journal here: has this cell run yet?")
    draft.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(draft)) as copy,
    ):
        (version,) = source.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise ServiceError(f"{journal}: is no journal of this VoxGate (schema {version})")
        source.backup(copy, pages=PAGES)
        copy.execute("PRAGMA journal_mode = DELETE")  # nothing of it stands beside the file
        return _proven(copy, draft)


def _proven(copy: sqlite3.Connection, draft: Path) -> Copied:
    (said,) = copy.execute("PRAGMA integrity_check").fetchone()
    if said != "ok":
        raise ServiceError(f"{draft}: the copy is damaged: {said}")
    (jobs,) = copy.execute("SELECT count(*) FROM jobs").fetchone()
    (verdicts,) = copy.execute("SELECT count(*) FROM results").fetchone()
    last = copy.execute("SELECT job_id FROM results ORDER BY created_utc DESC LIMIT 1").fetchone()
    return Copied(jobs, verdicts, last[0] if last else None)
