"""Was all of the expected surface looked at: by what measures depth, by the camera beside it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.coverage import Coverage, Looked
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.segment import label
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

# Surface is gone where so many views passed through it and none met it. Good parts have no such
# piece, whatever flickers at edges; a chip at a ridge has one or two.
PASSED_VIEWS = 2
LEAST_PIECES = 3  # that hang together

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """shape: by whatever measures depth; picture: by the camera, where that is another device, of
    the surface that it saw of the golden part; else None."""

    shape: Coverage
    picture: Coverage | None


class LookedAt:
    """Takes the views of one part one by one; both channels are asked, neither stands for the
    other: what the sensor alone saw may bear any mark, what the camera alone saw any dent."""

    def __init__(
        self,
        surface: Surface,
        grid: GridSpec,
        rays: Rays,
        golden: Sequence[ExpectedView],
        through: bool,
        gone_score: float,
        crew: Crew,
    ) -> None:
        """through: whether what has vanished has a score; gone_score: of what no view met."""
        self._surface = surface
        self._through = through
        self._gone_score = gone_score
        self._crew = crew
        self._passed: dict[int, Mask] = {}
        self._shape = Looked(surface, grid, rays.shape, through)
        self._picture = None
        if rays.sensed is not None and golden:
            self._picture = Looked(surface, grid, rays, through)
            self._shown = _shown(self._picture, golden)
        self._alone_mm: list[Points] = []

    def clear(self) -> None:
        """Forget the last part."""
        self._shape.clear()
        self._passed.clear()
        self._alone_mm.clear()
        if self._picture is not None:
            self._picture.clear()

    def add(
        self,
        planned: int,
        view: View,
        registered: Registered | None,
        reference_from_part: Transform,
    ) -> None:
        """One more view of it. Raises ValueError when the view has no depth."""
        self._passed[planned] = self._shape.add(view.shape, reference_from_part)
        if self._picture is not None and registered is not None:
            self._picture.add(view, reference_from_part)
            self._alone_mm.append(registered.lost_mm)  # compared where golden views know the depth

    def fuse_vanished(self, volume: Volume, reference_from_part: Transform) -> None:
        """Put what all views passed through and none met into the volume: a wire that is too thin
        for one view to tell its absence from an edge's flicker. After the last view."""
        gone = np.flatnonzero(self._vanished())
        places = apply(invert(reference_from_part), self._surface.points_mm[gone])
        places_mm = places.astype(np.float32)
        for planned, passed in self._passed.items() if gone.size else ():
            own = places_mm[passed[gone]]
            score = np.full(len(own), self._gone_score, np.float32)
            lift_points(volume, own, score, planned, self._crew)

    def _vanished(self) -> Mask:
        """(n,) of the surface: PASSED_VIEWS passed through it, none met it, in LEAST_PIECES."""
        times = np.sum([np.zeros(len(self._surface.ijk)), *self._passed.values()], axis=0)
        gone: Mask = (times >= PASSED_VIEWS) & ~self._shape.met & self._through
        count, labels = label(self._surface.ijk[gone])
        if count:
            gone[gone] = np.bincount(labels)[labels] >= LEAST_PIECES
        return gone

    def seen(
        self,
        volume: Volume,
        reference_from_part: Transform,
        gone_mm: Points,
        within_sight: Mask | None,
    ) -> Seen:
        """As `Looked.coverage`, of each channel."""
        picture = None
        if self._picture is not None:
            shown = self._shown if within_sight is None else self._shown & within_sight
            looked_mm = np.concatenate([gone_mm, *self._alone_mm])
            picture = self._picture.coverage(volume, reference_from_part, looked_mm, shown)
        shape = self._shape.coverage(volume, reference_from_part, gone_mm, within_sight)
        return Seen(shape, picture)


def _shown(picture: Looked, golden: Sequence[ExpectedView]) -> Mask:
    """(n,) of the surface, what the golden pictures show."""
    for number, each in enumerate(golden):
        depth = np.where(each.returned, each.depth_mm, np.nan).astype(np.float32)
        picture.add(View(number, each.image, each.part_from_camera, 0.0, depth), np.eye(4))
    found = picture.seen
    picture.clear()
    return found
