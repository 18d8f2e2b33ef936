"""What good parts show in depth, by one golden scan: each view against the surface of the others.

A golden view's depth is compared with what the other views measured, with nothing of its own: real
noise, a real robot, and edges that every view tells a little otherwise. The largest score of each
view fits the threshold; what all of them together call raised is how good parts stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.gloss import Gloss, gloss
from voxgate.export.golden.golden import Golden
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.register import TOLERANCE_MM, register
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus.pieces import Pieces, scale_of
from voxgate.runtime.consensus.raised import Raised
from voxgate.runtime.volume.surface import Surface

# geometry averages over 7 x 7 px and opens with 3 x 3: so far reaches what is not shared
SHARED_RIM_PX = 11
USUAL_SCORE = 0.5  # of what the golden part shows: another one shows more by chance
IN_PLACE = np.eye(4)

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """geometry: (views,) largest score of each, 1.0 = threshold; raised_mm: see the manifest."""

    geometry: Scores
    raised_mm: float


def left_out(
    golden: Golden, expected: Sequence[ExpectedView], flicker: Gloss, crew: Crew
) -> LeftOut:
    """Leave each view out in turn. flicker: of the camera's pixels."""
    window = np.ones((SHARED_RIM_PX, SHARED_RIM_PX), np.uint8)
    shared, raised, scores = _shared(golden, flicker), _raised(golden, expected), []
    for planned, found in enumerate(_by_the_others(golden, expected, crew)):
        inside = cv2.erode(shared[planned].astype(np.uint8), window) > 0
        scores.append(float(found.geometry[inside].max(initial=0.0)))
        pixels = raised.pieces.pixels(golden.shapes[planned], IN_PLACE)
        raised.add(planned, found, pixels)
    return LeftOut(np.array(scores), round(raised.usual_for(USUAL_SCORE), 4))


def _by_the_others(
    golden: Golden, expected: Sequence[ExpectedView], crew: Crew
) -> Iterator[Registered]:
    shapes = [each.shape for each in expected]
    for planned, view in enumerate(golden.shapes):
        others = list(shapes)
        blind = np.zeros_like(shapes[planned].plane)
        others[planned] = replace(shapes[planned], plane=blind)
        yield register(view, planned, others, golden.rays.shape, IN_PLACE, crew)


def _shared(golden: Golden, flicker: Gloss) -> npt.NDArray[np.bool_]:
    """(views, h, w) which pixels that measured depth saw what another view measured too."""
    if golden.rays.sensed is None:
        return flicker.shared
    return gloss(golden.shapes, golden.rays.shape, golden.table_z_mm).shared


def _raised(golden: Golden, expected: Sequence[ExpectedView]) -> Raised:
    shapes = [each.shape for each in expected]
    rays, grid = golden.rays.shape, golden.grid
    surface = Surface.of_views(grid, golden.expected_ijk(), shapes, rays)
    pieces = Pieces(surface, rays, grid.voxel_mm, scale_of(grid.voxel_mm, shapes))
    return Raised(pieces, shapes, TOLERANCE_MM)
