"""What the inspection thread drives, and the recipe that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from voxgate.runtime.common.timings import Timing
from voxgate.runtime.engines.backends import DEFAULT_BACKEND
from voxgate.runtime.nouns import Note, Origin, Verdict, View


class PartInspector(Protocol):
    """What the thread drives; runtime.inspector.Inspector is one."""

    def start(self) -> None: ...
    def add(self, view: View) -> None: ...
    def reject(self, note: Note) -> None: ...
    @property
    def complete(self) -> bool: ...
    def finish(self) -> Verdict: ...
    def take_timings(self) -> tuple[Timing, ...]: ...
    def close(self) -> None: ...


UNKNOWN = Origin()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recipe that is loaded, warm and proven."""

    inspector: PartInspector
    label: str  # name/version
    backend: str
    planned: int  # views
    not_after_utc: datetime | None = None  # until when its signer answers for it
    asked: str = DEFAULT_BACKEND  # backend of the configuration
    chosen: str = DEFAULT_BACKEND  # row of the table of backends
    why: str = "the configuration names it"
    origin: Origin = UNKNOWN

    def has_expired(self, now_utc: datetime) -> bool:
        """Whether its signer no longer answers for it."""
        return self.not_after_utc is not None and now_utc > self.not_after_utc


Prepare = Callable[[str], Prepared]
"""Loads a recipe by name or name/version and proves it. Raises VoxGateError."""
