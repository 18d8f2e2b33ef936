"""How far a lesson has come: a file, so that it goes on where it was left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxgate.export.quality.conformal import parts_needed, proven_rate, rate_with_confidence
from voxgate.runtime.common.durable import sync
from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Outcome

FILE = "lesson.json"
TIMES_AGAIN = 2  # that the golden part is put down anew
CONFIDENCE = 0.95


class Looked(BaseModel):
    """One recording by the new recipe. score: None where nothing was scored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recording: str
    outcome: Outcome
    score: float | None


class Lesson(BaseModel):
    """Of one part. again: the golden part put down anew; others: further good parts.

    left_out: recordings that taught nothing, as people or the line's own doubts said.
    """

    model_config = ConfigDict(extra="forbid")

    part: str
    version: str
    false_rejects: Annotated[float, Field(gt=0, lt=1)]
    golden: str | None = None
    again: list[Looked] = []
    others: list[Looked] = []
    left_out: list[str] = []
    installed: bool = False

    @property
    def used(self) -> set[str]:
        """Recordings that were looked at."""
        named = {each.recording for each in (*self.again, *self.others)}
        return named | set(self.left_out) | ({self.golden} if self.golden else set())

    @property
    def proven(self) -> float:
        """The false reject rate that the further parts prove; 1 without any."""
        return proven_rate(self._scores, 1.0)

    @property
    def proven_95(self) -> float:
        """The same with 95 % confidence."""
        return rate_with_confidence(self._scores, 1.0, CONFIDENCE)

    @property
    def is_proven(self) -> bool:
        """Whether the wanted bound is met."""
        return self.proven <= self.false_rejects + 1e-9

    @property
    def still_needed(self) -> int:
        """Good parts, if all of them pass."""
        over = sum(each.outcome is not Outcome.PASS for each in self.others)
        return max(0, parts_needed(self.false_rejects / (over + 1)) - len(self.others))

    @property
    def words(self) -> str:
        """What is proven, for people."""
        return (
            f"{len(self.others)} good parts prove at most {self.proven:.1%} false rejects, with "
            f"95 % confidence {self.proven_95:.1%}; wanted {self.false_rejects:.1%}"
        )

    @property
    def _scores(self) -> list[float]:
        return [0.0 if each.outcome is Outcome.PASS else 1.0 for each in self.others]

    def keep(self, folder: Path) -> None:
        """On disk when it returns. Raises ScanError."""
        draft = folder / f".{FILE}.draft"
        try:
            with draft.open("w", encoding="utf-8") as stream:
                stream.write(self.model_dump_json(indent=1) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(folder / FILE)
            sync(folder)
        except OSError as error:
            raise ScanError(f"{folder / FILE}: cannot be written: {error.strerror}") from error


def lesson_in(folder: Path) -> Lesson | None:
    """The one that was left there; None: there is none. Raises ScanError for a damaged file."""
    path = folder / FILE
    try:
        return Lesson.model_validate_json(path.read_bytes()) if path.exists() else None
    except ValidationError as error:
        raise ScanError(f"{path}: {first_finding(error)}: move it away to begin anew") from error
