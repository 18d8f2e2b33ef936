"""What is known of the part under inspection so far; forgotten with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from voxgate.runtime.nouns import Alignment, Note, View, ViewReport
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.lift import LiftCounts


@dataclass(slots=True)
class Part:
    """planned: viewpoints that arrived; waiting: their views, until it is known how the part stands
    (placed), if that can be known (alignment).
    """

    notes: list[Note] = field(default_factory=list)
    planned: set[int] = field(default_factory=set)
    waiting: list[tuple[int, View]] = field(default_factory=list)
    reports: tuple[ViewReport, ...] = ()
    counts: tuple[LiftCounts, ...] = ()
    alignment: Alignment | None = None
    placed: bool = False

    @property
    def reference_from_part(self) -> Transform:
        """How it stands against the golden one, as far as that is known."""
        return np.eye(4) if self.alignment is None else self.alignment.reference_from_part

    def hold(self, *doubts: Note | None) -> None:
        """Against it, in this order."""
        self.notes += [note for note in doubts if note is not None]
