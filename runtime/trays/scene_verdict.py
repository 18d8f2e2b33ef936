"""What is said of a tray: which of its parts are odd, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.instances import Proven
from voxgate.runtime.nouns import Note, Outcome, Reason
from voxgate.runtime.trays.tray import Instance

ODD_FROM = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Oddity:
    """Where an instance differs: centre_mm (3,) and box_mm (2, 3), world frame. By shape
    deviation_mm is the most, + where there is more material than the neighbours have; by look
    brighter is, 0.1 a tenth brighter than they are, - where it is darker; neither: by hue."""

    centre_mm: npt.NDArray[np.float64]
    box_mm: npt.NDArray[np.float64]
    score: float
    deviation_mm: float | None = None
    brighter: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One instance. score: 1.0 = threshold; None: it was not compared."""

    number: int
    instance: Instance
    score: float | None
    oddities: tuple[Oddity, ...] = ()

    @property
    def odd(self) -> bool | None:
        """None: it was not compared."""
        return None if self.score is None else self.score >= ODD_FROM


@dataclass(frozen=True, slots=True, eq=False)
class SceneVerdict:
    """On one tray. Whatever is not proven regular is not PASS. proven: what would have been found;
    None: not compared, or only what parts look like."""

    outcome: Outcome
    doubts: tuple[Note, ...]
    judged: tuple[Judged, ...]
    proven: Proven | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Each once; an odd instance is the first."""
        odd = [Reason.ODD] if any(each.odd for each in self.judged) else []
        return tuple(dict.fromkeys([*odd, *(each.reason for each in self.doubts)]))

    def doubted(self, notes: Iterable[Note]) -> SceneVerdict:
        """The same; INDETERMINATE if there is anything more against it."""
        further = tuple(notes)
        if not further:
            return self
        doubts = (*self.doubts, *further)
        return replace(self, outcome=Outcome.INDETERMINATE, doubts=doubts)
