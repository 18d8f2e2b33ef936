"""Where rays pass one instance and end at its neighbours, or the other way round.

Of thin pins no view sees enough for a surface, and where one is broken off there is none to differ
from. But rays pass where it was, and at every voxel they are counted: of those that came that far,
which share went on. Where something lacks nearly all do, and at the neighbours nearly none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from voxgate.runtime.trays.neighbours.majority import gaussian, majority, patch
from voxgate.runtime.trays.surface import Field, Grid, Surface

SMOOTH_VOXELS = 0.6  # the share of few rays is noise
SHARE_AROUND = 0.5  # of what lies around a voxel is known where a surface passes it
# Of 50 regular parts of seven types, seen by 8 to 20 views, four voxels that hang together are off
# by up to 0.37, by 0.28 where twenty see them; where a pin three pixels thick is too short by three
# twenty see 0.44 and more.
LIMIT = 0.42
PIECE_VOXELS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One instance against its neighbours. closed: (k, m, n) share of the rays by which fewer went
    on than at the neighbours, - where more did. score: 1.0 = odd."""

    closed: Field
    score: float

    @classmethod
    def unknown(cls, grid: Grid) -> Passage:
        """Where no ray is known to have passed anything."""
        return cls(np.zeros(grid.shape, np.float32), 0.0)

    def deviation_mm(self, grid: Grid) -> Field:
        """(k, m, n) how thick is what it has more, - what it lacks; 0 elsewhere."""
        if self.score < 1:
            return np.zeros(grid.shape, np.float32)
        deep = ndimage.distance_transform_edt(np.abs(self.closed) > LIMIT)
        thick = np.maximum(2 * deep - 1, 0) * grid.voxel_mm
        return np.asarray(np.sign(self.closed) * thick, np.float32)


def passages(surfaces: Sequence[Surface]) -> tuple[Passage, ...]:
    """Every instance, at least three, against the others."""
    shares = np.stack([each.open_share for each in surfaces])
    every = np.ones(shares.shape, np.bool_)
    return tuple(_against(majority(shares, every, index)) for index in range(len(shares)))


def _against(more_open: Field) -> Passage:
    smooth, known = gaussian(more_open, SMOOTH_VOXELS)
    closed = -np.nan_to_num(smooth) * np.sqrt(np.minimum(known / SHARE_AROUND, 1))
    return Passage(closed, patch(np.abs(closed), PIECE_VOXELS) / LIMIT)
