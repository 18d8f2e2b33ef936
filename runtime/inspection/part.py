"""What is known of the part under inspection so far; forgotten with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.fusion.host import Described
from voxgate.runtime.inspection import doubts
from voxgate.runtime.nouns import Alignment, Note, View, ViewReport
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.coverage import near
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import LiftCounts


@dataclass(frozen=True, slots=True, eq=False)
class Blind:
    """Expected surface of which a view had no return.

    share: of the view's surface; lost_mm: (n, 3) float32 where it is, part frame, and each_share:
    how much of the view's surface one of them is. usual: the share that the golden part gave no
    return of in specks, which lie elsewhere on every part.
    """

    planned: int
    share: float
    lost_mm: npt.NDArray[np.float32]
    each_share: float
    usual: float = 0.0

    def less_gone(self, gone_mm: npt.NDArray[np.float32], grid: GridSpec) -> float:
        """The share that was not looked at: what other views prove gone (m, 3) has no return."""
        if not len(gone_mm):
            return self.share
        return self.share - float(near(self.lost_mm, gone_mm, grid).sum()) * self.each_share


@dataclass(slots=True)
class Part:
    """planned: viewpoints that arrived; waiting: their views, until it is known how the part stands
    (placed), if that can be known (alignment). gone_mm: surface and bodies that have vanished, a
    piece per view; blind: by view. unknown_mm2: the most that one view saw and no golden view
    knows. shown: checksum of a picture -> its frame; golden_again: pictures that are the golden
    scan's own. described: what the models got, by viewpoint.
    """

    notes: list[Note] = field(default_factory=list)
    planned: set[int] = field(default_factory=set)
    waiting: list[tuple[int, View]] = field(default_factory=list)
    reports: tuple[ViewReport, ...] = ()
    counts: tuple[LiftCounts, ...] = ()
    alignment: Alignment | None = None
    placed: bool = False
    unknown_mm2: float = 0.0
    golden_again: int = 0
    shown: dict[int, int] = field(default_factory=dict)
    described: dict[int, Described] = field(default_factory=dict)
    gone_mm: list[npt.NDArray[np.float32]] = field(default_factory=list)
    blind: list[Blind] = field(default_factory=list)

    @property
    def reference_from_part(self) -> Transform:
        """How it stands against the golden one, as far as that is known."""
        return np.eye(4) if self.alignment is None else self.alignment.reference_from_part

    @property
    def all_gone_mm(self) -> npt.NDArray[np.float32]:
        """(n, 3) float32: what any view proves gone, part frame, mm."""
        return np.concatenate([np.empty((0, 3), np.float32), *self.gone_mm])

    def judged(self, registered: Registered, blind: Blind) -> None:
        """What one view says of the shape."""
        self.gone_mm.append(registered.shape.vanished_mm)
        self.unknown_mm2 = max(self.unknown_mm2, registered.unknown_mm2)
        self.blind.append(blind)

    def blindness(self, blind_max: float, grid: GridSpec) -> Iterator[Note | None]:
        """Of each view, once it is known what all of them together prove gone."""
        for blind in self.blind:
            most = min(1.0, blind_max + blind.usual)
            note = doubts.blind(blind.planned, blind.share, most)
            if note is not None:
                share = blind.less_gone(self.all_gone_mm, grid)
                note = doubts.blind(blind.planned, share, most)
            yield note

    def hold(self, *doubts: Note | None) -> None:
        """Against it, in this order."""
        self.notes += [note for note in doubts if note is not None]
