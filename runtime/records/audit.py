"""What an auditor asks for: every part of some days, by what it was judged, what was changed, gaps.

One page of HTML without scripts; everything in it is from the journal, and it says whether that
proves itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from html import escape
from pathlib import Path

from voxgate.runtime.common.text import legible
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.journal_verify import Verified, verify

GAP_S = 3600.0  # between two entries, without an end of the service before it
PARTS = (
    *("job", "part", "recipe", "outcome", "reasons", "signer", "recipe digest", "decided (UTC)"),
    *("started by", "stopped by"),
)
CHANGES = ("when (UTC)", "who", "what", "about", "detail")
CHANGING = (
    *("command", "configuration", "keys", "serves", "opened", "closed", "revoked", "pruned"),
)
STYLE = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{border:1px solid #999;padding:2px 6px;text-align:left;vertical-align:top}"
    ".wrong{color:#b00;font-weight:bold}"
)


def write_report(
    journal: Path, begin: datetime, end: datetime, out: Path, evidence: Path | None = None
) -> Verified:
    """From `begin` up to before `end`. Raises ServiceError; an older report is written over."""
    found = verify(journal, evidence=evidence)
    span = (begin.isoformat(), end.isoformat())
    try:
        with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as db:
            page = "\n".join(_page(db, span, found))
        out.write_text(page, encoding="utf-8")
    except sqlite3.Error as error:
        raise ServiceError(f"{journal}: cannot be read: {error}") from error
    except OSError as error:
        raise ServiceError(f"{out}: cannot be written: {error.strerror}") from error
    return found


def _page(db: sqlite3.Connection, span: tuple[str, str], found: Verified) -> Iterator[str]:
    parts = list(_parts(db, span))
    outcomes = [row[3] for row in parts]
    counts = ", ".join(f"{outcomes.count(each)} {each}" for each in sorted(set(outcomes)))
    yield f"<!doctype html><meta charset=utf-8><title>Audit</title><style>{STYLE}</style>"
    yield f"<h1>Audit from {_text(span[0])} to {_text(span[1])}</h1>"
    yield from _proof(found)
    yield f"<h2>{len(parts)} parts: {counts or 'none'}</h2>"
    yield from _table(PARTS, parts)
    yield "<h2>Who changed what</h2>"
    yield from _table(CHANGES, list(_changes(db, span)))
    yield "<h2>Gaps</h2>"
    yield from _table(("from (UTC)", "to (UTC)", "why"), list(_gaps(db, span)))


def _proof(found: Verified) -> Iterator[str]:
    keys = ", ".join(found.keys) or "nobody"
    yield f"<p>The journal up to entry {_text(found.head)}, signed by {_text(keys)}:</p>"
    if found.wrong:
        lines = "".join(f"<li>{_text(line)}" for line in found.wrong)
        yield f"<p class=wrong>It was altered:</p><ul>{lines}</ul>"
    else:
        yield "<p>It is whole.</p>"
    if found.unproven:
        yield f"<p>{found.unproven} verdicts are from before there was a chain.</p>"


def _parts(db: sqlite3.Connection, span: tuple[str, str]) -> Iterator[tuple[str, ...]]:
    rows = db.execute(
        "SELECT message FROM results WHERE created_utc >= ? AND created_utc < ? "
        "ORDER BY created_utc",
        span,
    )
    for (message,) in rows:
        said = json.loads(message)
        origin = said.get("origin") or {}
        reasons = ", ".join(dict.fromkeys(each["reason"] for each in said["reasons"]))
        yield (
            *(said["job_id"], said["part_id"], said["recipe"], said["outcome"], reasons),
            origin.get("signer") or "-",
            origin.get("recipe_digest", "")[:16] or "-",
            said["created_utc"],
            *(_who(db, kind, said["job_id"]) for kind in ("job", "result")),
        )


def _who(db: sqlite3.Connection, kind: str, job_id: str) -> str:
    query = "SELECT who FROM chain WHERE kind = ? AND subject = ? ORDER BY number DESC LIMIT 1"
    row = db.execute(query, (kind, job_id)).fetchone()
    return "-" if row is None else str(row[0])


def _changes(db: sqlite3.Connection, span: tuple[str, str]) -> Iterator[tuple[str, ...]]:
    marks = ", ".join("?" for _ in CHANGING)
    rows = db.execute(
        f"SELECT utc, who, kind, subject, detail FROM chain WHERE kind IN ({marks}) "
        "AND utc >= ? AND utc < ? ORDER BY number",
        (*CHANGING, *span),
    )
    for utc, who, kind, subject, detail in rows:
        yield utc, who, kind, subject, _short(kind, detail)


def _short(kind: str, detail: str) -> str:
    """What a person reads of it: the journal has all."""
    if kind == "configuration":
        return ""
    return "; ".join(json.loads(detail)["changes"]) if kind == "keys" else detail


def _gaps(db: sqlite3.Connection, span: tuple[str, str]) -> Iterator[tuple[str, str, str]]:
    before: tuple[str, str] | None = None
    query = "SELECT utc, kind FROM chain WHERE utc >= ? AND utc < ? ORDER BY number"
    for utc, kind in db.execute(query, span):
        if before is not None:
            gap_s = (
                datetime.fromisoformat(utc) - datetime.fromisoformat(before[0])
            ).total_seconds()
            if kind == "opened" and before[1] != "closed":
                yield before[0], utc, "the service ended without closing: a crash, or the power"
            elif gap_s > GAP_S or gap_s < 0:
                yield (
                    before[0],
                    utc,
                    "nothing was written" if gap_s > 0 else "the clock was set back",
                )
        before = utc, kind


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        yield "<p>None.</p>"
        return
    yield f"<table><tr>{''.join(f'<th>{_text(each)}' for each in head)}"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{_text(each)}' for each in row)}"
    yield "</table>"


def _text(said: str) -> str:
    return escape(legible(str(said)))
