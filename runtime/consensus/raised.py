"""What stands off the golden surface by little, but in all views.

A pixel that lies a few tenths of a millimetre before the surface may be an edge's flicker, and one
view explains it so: a lump of half a millimetre around the foot of a wire is a pixel wide, between
two surfaces that are both near. But an edge flickers another way from everywhere, and a lump stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import SPREAD_UNIT_MM, ExpectedView
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus.pieces import Pieces, Pixels, Plane, window_of
from voxgate.runtime.consensus.region_kernels import agree_raised, sample
from voxgate.runtime.geometry.projected import project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

# Of the tolerance: less is how good parts stand and scatter, a whole face of them too.
BEYOND = 0.6
# Of it what all but a quarter of the views see beyond that, as a mean over a piece, and scores 1:
# where the golden part shows no more.
TOGETHER = 0.2
LARGEST_MM = 1.0  # of one pixel: a wild one must not stand for all of its piece
LEAST_VIEWS = 6  # half a ring: from one side an edge may flicker alike
LEAST_SHARE = 0.25  # of a piece's pixels: fewer that say anything say nothing
LEAST_PX = 3  # across a piece: where it is less, a pixel at an edge is all of it
SAID_SCORE = 0.75  # below it nothing is written down


class Raised:
    """Takes the views of one part one by one; of a sensor beside the camera, what that measured."""

    def __init__(
        self,
        pieces: Pieces,
        golden: Sequence[ExpectedView],
        tolerance_mm: float,
        usual_mm: float = 0.0,
    ) -> None:
        """Pieces and golden views by whatever measured depth. usual_mm: see the manifest."""
        self.pieces = pieces
        self._beyond_mm = BEYOND * tolerance_mm
        self._usual_mm = max(TOGETHER * tolerance_mm, usual_mm)
        self._spread_mm = _spread_mm(pieces.surface, golden, pieces.rays)
        self._allowed_mm = np.hypot(self._usual_mm, self._spread_mm)
        self._means = np.full((len(pieces.surface.ijk), len(golden)), np.nan, np.float32)
        self._sums = np.zeros((len(pieces.surface.ijk), 2), np.float32)

    def forget(self) -> None:
        """What was said of the last part."""
        self._means[:] = np.nan

    def add(self, planned: int, registered: Registered, pixels: Pixels) -> None:
        """One more view of it; pixels: at which it sees the pieces."""
        size_px = self.pieces.across_px(registered.pixel_mm)
        box = window_of(np.isfinite(registered.deviation_mm)) if size_px >= LEAST_PX else None
        if box is None:
            return
        deviation = registered.deviation_mm[box]
        known = np.isfinite(deviation).astype(np.float32)
        beyond = np.fmax(deviation - np.float32(self._beyond_mm), np.float32(0))  # a NaN is none
        maps = cv2.merge([known, np.minimum(beyond, np.float32(LARGEST_MM))])
        blurred = np.asarray(cv2.blur(maps, (size_px, size_px)), np.float32)
        sample(pixels, box[0].start, box[1].start, 1, blurred, self._sums)
        share, total = self._sums.T
        said = share >= LEAST_SHARE
        self._means[:, planned] = np.where(said, total / np.maximum(share, LEAST_SHARE), np.nan)

    def agreed(self) -> tuple[Plane, Plane]:
        """(n,) of every piece by how much it stands off in all views but a quarter, beyond what
        good parts do, mm, and its score, 1 = threshold."""
        said_mm = np.empty(len(self._means), np.float32)
        agree_raised(self._means, LEAST_VIEWS, said_mm)
        return said_mm, (said_mm / self._allowed_mm).astype(np.float32)

    def usual_for(self, score: float) -> float:
        """By how much good parts are raised, mm, if this part is one, and no piece of it is to
        score more than `score`."""
        said_mm, _ = self.agreed()
        more = np.square(said_mm / score) - np.square(self._spread_mm)
        return float(max(self._usual_mm, np.sqrt(more.max(initial=0.0))))

    def fuse(self, volume: Volume, reference_from_part: Transform, crew: Crew) -> None:
        """Put what the views agree on into the volume, as the word of those that say so; after the
        last view."""
        said_mm, score = self.agreed()
        loud = np.flatnonzero(score >= SAID_SCORE)
        if not loud.size:
            return
        places, score = self.pieces.places(reference_from_part, loud), score[loud]
        for planned, own in enumerate((self._means[loud] >= said_mm[loud, None]).T):
            if own.any():
                lift_points(volume, places[own], score[own], planned, crew)


def _spread_mm(
    surface: Surface, golden: Sequence[ExpectedView], rays: Rays
) -> npt.NDArray[np.float64]:
    """(n,) the most that further good parts taught of each piece."""
    most = np.zeros(len(surface.ijk))
    for view in golden:
        if view.spread.any():
            at = project_into(surface.points_mm, view.part_from_camera, rays)
            taught = view.spread[at.rows, at.columns] * SPREAD_UNIT_MM
            most = np.maximum(most, np.where(at.inside, taught, 0.0))
    return most


def warm_up() -> None:
    """Compile (or load) the kernel of this file."""
    agree_raised(np.ones((1, LEAST_VIEWS), np.float32), LEAST_VIEWS, np.empty(1, np.float32))
