"""What a real sensor can see of a rendered part: a rendering has a return everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.blind_spots import Projector, blind_spots, find_projector
from voxgate.runtime.nouns import View
from voxgate.runtime.volume.coverage import Looked
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.surface import Surface

MOST_KEPT = 4  # places: 6 MB each for twelve views of 800 x 600

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """spots: (h, w) of each view, where light from one place gives no return; pieces: (n,)."""

    spots: tuple[Mask, ...]
    pieces: Mask


@dataclass(slots=True, eq=False)
class Sight:
    """Of the sensor that takes the views of one part after the other.

    What follows from a projector's place is kept for the next parts: it is the same sensor, and is
    found in one of a few places beside each other.
    """

    golden: Sequence[ExpectedView]
    rays: Rays
    surface: Surface
    grid: GridSpec
    _now: _Seen | None = field(default=None, init=False)
    _kept: dict[Projector | None, _Seen] = field(default_factory=dict, init=False)

    def forget(self) -> None:
        """The last part."""
        self._now = None

    def find(self, waiting: Sequence[tuple[int, View]]) -> None:
        """Where its light comes from, as the first views (planned, view) of a part tell."""
        seen = [
            (view.shape.depth_mm, self.golden[planned])
            for planned, view in waiting
            if view.shape.depth_mm is not None
        ]
        found = find_projector(seen, self.rays)
        self._now = self._kept.pop(found, None) or self._seen_by(found)
        self._kept[found] = self._now  # the last used is the last in a row
        for oldest in list(self._kept)[:-MOST_KEPT]:
            del self._kept[oldest]

    def blind_spots(self, planned: int) -> Mask | None:
        """(h, w) golden pixels that it need not see from there; None before `find`."""
        return None if self._now is None else self._now.spots[planned]

    @property
    def pieces(self) -> Mask | None:
        """(n,) of the surface, those that some view can see; None before `find`."""
        return None if self._now is None else self._now.pieces

    def _seen_by(self, projector: Projector | None) -> _Seen:
        """As if the golden part stood there and gave no return from the blind spots."""
        spots = tuple(blind_spots(each, self.rays, projector) for each in self.golden)
        looked = Looked(self.surface, self.grid, self.rays, through=False)
        for number, (each, blind) in enumerate(zip(self.golden, spots, strict=True)):
            depth = np.where(each.measured & ~blind, each.depth_mm, np.nan).astype(np.float32)
            looked.add(View(number, each.image, each.part_from_camera, 0.0, depth), np.eye(4))
        return _Seen(spots, looked.seen)
