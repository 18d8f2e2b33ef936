"""What people said of verdicts: right or wrong. Kept apart, no verdict changes by it.

One line each. The last word about a job counts; what was said before stays in the file.
"""

from __future__ import annotations

import fcntl
import os
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.wire.fields import Identifier

SUFFIX = ".marks"
MOST_BYTES = 64 << 20  # some 300,000 marks
STATE = "STATE_DIRECTORY"  # systemd.exec(5): where a unit of its own may write


class Judged(str, Enum):
    """Of a verdict, by a person."""

    RIGHT = "right"
    WRONG = "wrong"


class Mark(BaseModel):
    """One line of the file. outcome: what the verdict said; who: "" where nobody logs in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: Identifier
    outcome: Outcome
    judged: Judged
    who: Annotated[str, Field(max_length=64)] = ""
    note: Annotated[str, Field(max_length=500)] = ""
    utc: datetime

    @property
    def good(self) -> bool | None:
        """Whether the part was good; None: nobody has said so, as of what was not decided."""
        if self.outcome is Outcome.INDETERMINATE:
            return None
        return (self.outcome is Outcome.PASS) is (self.judged is Judged.RIGHT)


def marks_file(journal: Path) -> Path:
    """Beside the journal; of a unit that may not write there, in its own folder."""
    own = os.environ.get(STATE)
    name = journal.name + SUFFIX
    return Path(own.partition(":")[0], name) if own else journal.with_name(name)


def put_mark(file: Path, mark: Mark) -> None:
    """On disk when it returns. Raises ServiceError."""
    try:
        with file.open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if stream.tell() > MOST_BYTES:
                raise ServiceError(f"{file}: is full: put it away and begin another")
            stream.write(mark.model_dump_json().encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise ServiceError(f"{file}: cannot be written: {error.strerror}") from error


def marks_in(file: Path) -> dict[str, Mark]:
    """By job, the last one; none where there is no file. Raises ServiceError."""
    try:
        lines = file.read_bytes().splitlines() if file.exists() else []
    except OSError as error:
        raise ServiceError(f"{file}: cannot be read: {error.strerror}") from error
    found = [_read(line) for line in lines]
    if None in found[:-1]:
        raise ServiceError(f"{file}:{found.index(None) + 1}: is no mark: take the line out")
    return {mark.job_id: mark for mark in found if mark is not None}


def _read(line: bytes) -> Mark | None:
    """None: it is none; the last one, where the power went while it was written."""
    try:
        return Mark.model_validate_json(line)
    except ValidationError:
        return None
