"""What happened, entry by entry, each with the hash of the one before and the box's signature.

An entry answers for a row of the journal by that row's hash, so that no row can be altered, put in
or taken out without a trace; who asked for something stands in the entry itself.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PURPOSE = b"voxgate journal 1\n"
THE_BOX = "box"
"""Who acts when nobody asked."""

TABLE = """
CREATE TABLE IF NOT EXISTS chain (
    number    INTEGER PRIMARY KEY,
    utc       TEXT NOT NULL,
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    who       TEXT NOT NULL,
    detail    TEXT NOT NULL,
    content   TEXT NOT NULL,
    hash      TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS chain_subject ON chain (kind, subject);
"""
COLUMNS = "number, utc, kind, subject, who, detail, content, hash, signature"


class Kind(str, Enum):
    """What an entry tells of."""

    OPENED = "opened"  # the service opened the journal; detail: how it was closed before
    CLOSED = "closed"
    JOB = "job"  # content: the job's row; who: started it; detail: by what it is inspected
    RESULT = "result"  # content: the verdict's row; who: stopped the job
    REVOKED = "revoked"  # another verdict in its place, always INDETERMINATE
    ACKNOWLEDGED = "acknowledged"
    FORGOTTEN = "forgotten"  # a job that was too old
    PRUNED = "pruned"  # entries up to a number, of jobs that are forgotten
    RECORDING = "recording"  # detail: its file; content: that file's sha256
    CONFIGURATION = "configuration"  # content: its sha256
    KEYS = "keys"  # which keys of peers and signers are listed; written when that changed
    SERVES = "serves"  # a recipe began to serve; detail: by whom signed, its digests
    COMMAND = "command"  # somebody asked for something that changes the cell


@dataclass(frozen=True, slots=True)
class Event:
    """What is put down. content: sha256 of what it answers for; "": nothing."""

    kind: Kind
    subject: str
    who: str = THE_BOX
    detail: str = ""
    content: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the chain."""

    number: int
    utc: str
    event: Event
    hash: str
    signature: str

    @classmethod
    def of_row(cls, row: Sequence[str | int]) -> Entry:
        """In the order of COLUMNS."""
        number, utc, kind, subject, who, detail, content, own, signature = map(str, row)
        event = Event(Kind(kind), subject, who, detail, content)
        return cls(int(number), utc, event, own, signature)

    def follows(self, previous: str) -> bool:
        """Whether it is what was written after the entry of that hash."""
        return self.hash == hash_of(self.number, self.utc, self.event, previous)

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether the owner of `key` wrote it."""
        try:
            key.verify(bytes.fromhex(self.signature), PURPOSE + self.hash.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def hash_of(number: int, utc: str, event: Event, previous: str) -> str:
    """Of one entry, sha256 over its fields as a JSON list."""
    fields = (event.kind.value, event.subject, event.who, event.detail, event.content)
    return digest_of([number, utc, *fields, previous])


def digest_of(row: Sequence[str | int]) -> str:
    """sha256 of a row's values as a JSON list."""
    return hashlib.sha256(json.dumps(list(row), separators=(",", ":")).encode()).hexdigest()


class Chain:
    """Writes entries through the journal's connection, inside its transactions.

    latest_utc: the latest time that an entry tells; None before the first.
    """

    def __init__(
        self, db: sqlite3.Connection, key: Ed25519PrivateKey, utc_now: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._key = key
        self._utc_now = utc_now
        self._told_head: str | None = None
        last = db.execute("SELECT utc FROM chain ORDER BY number DESC LIMIT 1").fetchone()
        self.latest_utc = None if last is None else datetime.fromisoformat(last[0])

    def told_head(self) -> str:
        """`number:hash` of the last entry, read only after something was written."""
        if self._told_head is None:
            number, own = self.head()
            self._told_head = f"{number}:{own}"
        return self._told_head

    def append(self, event: Event) -> None:
        """One more entry. Raises sqlite3.Error."""
        self._told_head = None  # also of a transaction that fails
        last, previous = self.head()
        now = self._utc_now()
        number, utc = last + 1, now.isoformat()
        own = hash_of(number, utc, event, previous)
        fields = (event.kind.value, event.subject, event.who, event.detail, event.content)
        signature = self._key.sign(PURPOSE + own.encode()).hex()
        self._db.execute(
            f"INSERT INTO chain ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, utc, *fields, own, signature),
        )
        self.latest_utc = now if self.latest_utc is None else max(now, self.latest_utc)

    def head(self) -> tuple[int, str]:
        """Number and hash of the last entry; 0 and "" before the first."""
        found = self._db.execute("SELECT number, hash FROM chain ORDER BY number DESC LIMIT 1")
        row = found.fetchone()
        return (0, "") if row is None else (int(row[0]), str(row[1]))

    def last(self, kinds: Sequence[Kind], subject: str) -> Entry | None:
        """The last entry of one of these kinds about `subject`."""
        marks = ", ".join("?" for _ in kinds)
        row = self._db.execute(
            f"SELECT {COLUMNS} FROM chain WHERE kind IN ({marks}) AND subject = ? "
            "ORDER BY number DESC LIMIT 1",
            (*(kind.value for kind in kinds), subject),
        ).fetchone()
        return None if row is None else Entry.of_row(row)

    def answers_for(self, entry: Entry) -> bool:
        """Whether a box whose journal this was wrote this entry in its place."""
        before = self._db.execute("SELECT hash FROM chain WHERE number = ?", (entry.number - 1,))
        row = before.fetchone()
        linked = row is None or entry.follows(str(row[0]))
        return linked and entry.is_signed_by(self._signer_of(entry.number))

    def kind_of(self, number: int) -> Kind:
        """Of the entry of this number, which is there."""
        found = self._db.execute("SELECT kind FROM chain WHERE number = ?", (number,))
        return Kind(found.fetchone()[0])

    def _signer_of(self, number: int) -> Ed25519PublicKey:
        """Ours, from the first time on that we opened the file; before, who says he opened it."""
        own = self._key.public_key()
        opened = "SELECT min(number) FROM chain WHERE kind = ? AND subject = ?"
        values = (Kind.OPENED.value, own.public_bytes_raw().hex())
        (first,) = self._db.execute(opened, values).fetchone()
        if first is not None and number >= first:
            return own
        before = "SELECT subject FROM chain WHERE kind = ? AND number <= ? ORDER BY number DESC"
        row = self._db.execute(f"{before} LIMIT 1", (Kind.OPENED.value, number)).fetchone()
        return own if row is None else Ed25519PublicKey.from_public_bytes(bytes.fromhex(row[0]))

    def begins_at(self) -> str | None:
        """UTC of the first entry ever; None: it was pruned, or there is none."""
        row = self._db.execute("SELECT utc FROM chain WHERE number = 1").fetchone()
        return None if row is None else str(row[0])

    def prune(self, through: int) -> None:
        """Drop the entries up to this number, and say so. Raises sqlite3.Error."""
        first = self._db.execute("SELECT min(number) FROM chain").fetchone()[0]
        if first is not None and first <= through:
            self.append(Event(Kind.PRUNED, str(through)))
            self._db.execute("DELETE FROM chain WHERE number <= ?", (through,))
