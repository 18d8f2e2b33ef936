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

Mask = npt.NDArray[np.bool_]


@dataclass(slots=True, eq=False)
class Sight:
    """Of the sensor that takes the views of one part after the other.

    What follows from a projector's place is kept for the next part: it is the same sensor.
    """

    golden: Sequence[ExpectedView]
    rays: Rays
    surface: Surface
    grid: GridSpec
    _known: bool = field(default=False, init=False)
    _projector: Projector | None = field(default=None, init=False)
    _spots: tuple[Mask, ...] = field(default=(), init=False)
    _pieces: Mask | None = field(default=None, init=False)

    def forget(self) -> None:
        """The last part."""
        self._known = False

    def find(self, waiting: Sequence[tuple[int, View]]) -> None:
        """Where its light comes from, as the first views (planned, view) of a part tell."""
        seen = [
            (view.depth_mm, self.golden[planned])
            for planned, view in waiting
            if view.depth_mm is not None
        ]
        found = find_projector(seen, self.rays)
        if found != self._projector or not self._spots:
            self._projector = found
            self._spots = tuple(blind_spots(each, self.rays, found) for each in self.golden)
            self._pieces = self._within_sight()
        self._known = True

    def blind_spots(self, planned: int) -> Mask | None:
        """(h, w) golden pixels that it need not see from there; None before `find`."""
        return self._spots[planned] if self._known else None

    @property
    def pieces(self) -> Mask | None:
        """(n,) of the surface, those that some view can see; None before `find`."""
        return self._pieces if self._known else None

    def _within_sight(self) -> Mask:
        """As if the golden part stood there and gave no return from the blind spots."""
        looked = Looked(self.surface, self.grid, self.rays, through=False)
        for number, (each, blind) in enumerate(zip(self.golden, self._spots, strict=True)):
            depth = np.where(each.measured & ~blind, each.depth_mm, np.nan).astype(np.float32)
            looked.add(View(number, each.image, each.part_from_camera, 0.0, depth), np.eye(4))
        return looked.seen
