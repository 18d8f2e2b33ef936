"""Where in the picture the board was seen, how it was held, and where to hold it next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.calib.board.sightings import Sightings
from voxgate.calib.numerics.least_squares import Array

COLUMNS, ROWS = 8, 6
ZONES = (
    ("top left", "top", "top right"),
    ("left", "centre", "right"),
    ("bottom left", "bottom", "bottom right"),
)
ENOUGH_TILT_DEG = 20.0
FEW = 0.5  # of the mean: a zone with less is thin
DEPTH_RATIO = 1.3  # farthest over nearest view


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """counts (ROWS, COLUMNS): points per cell; tilts_deg (v,), about which side (v,) deg."""

    counts: npt.NDArray[np.int64]
    tilts_deg: Array
    directions_deg: Array
    distances_mm: Array

    @property
    def fraction(self) -> float:
        """Part of the cells in which points were seen."""
        return float((self.counts > 0).mean())

    def advice(self) -> list[str]:
        """What to do next, most useful first; empty when nothing is missing."""
        found = []
        zone = _thin_zone(self.counts)
        if zone is not None:
            found.append(f"hold the board so that it reaches into the {zone} of the picture")
        tilted = self.tilts_deg >= ENOUGH_TILT_DEG
        if tilted.mean() < 0.5:
            found.append(
                f"tilt the board more: only {int(tilted.sum())} of {len(tilted)} views are "
                f"tilted by {ENOUGH_TILT_DEG:g} deg or more"
            )
        side = _missing_side(self.directions_deg[tilted])
        if side is not None:
            found.append(f"tilt the board so that its {side} edge is nearer to the camera")
        if np.ptp(self.distances_mm) < (DEPTH_RATIO - 1) * self.distances_mm.min():
            found.append("hold the board nearer and farther, not always at the same distance")
        return found


def coverage(seen: Sightings, poses: Array, size_px: tuple[int, int]) -> Coverage:
    """Of the views used; poses (v, 4, 4): camera_from_board."""
    width, height = size_px
    column = np.clip((seen.pixels[:, 0] * COLUMNS / width).astype(int), 0, COLUMNS - 1)
    row = np.clip((seen.pixels[:, 1] * ROWS / height).astype(int), 0, ROWS - 1)
    counts = np.zeros((ROWS, COLUMNS), np.int64)
    np.add.at(counts, (row, column), 1)
    normals = poses[:, :3, 2]
    return Coverage(
        counts,
        np.degrees(np.arccos(np.clip(normals[:, 2], -1, 1))),
        np.degrees(np.arctan2(normals[:, 1], normals[:, 0])),
        poses[:, 2, 3],
    )


def _thin_zone(counts: npt.NDArray[np.int64]) -> str | None:
    """The ninth of the picture with the fewest points, if it has few."""
    rows = np.array_split(np.arange(ROWS), 3)
    columns = np.array_split(np.arange(COLUMNS), 3)
    density = np.array([[counts[np.ix_(r, c)].mean() for c in columns] for r in rows])
    worst = np.unravel_index(int(density.argmin()), density.shape)
    if density[worst] >= FEW * density.mean():
        return None
    return ZONES[int(worst[0])][int(worst[1])]


def _missing_side(directions_deg: Array) -> str | None:
    """Of four sides the one towards which no view is tilted.

    The board's normal points away from the camera: when it leans to the right, the right edge of
    the board is the farther one.
    """
    sides = {"left": 0.0, "top": 90.0, "right": 180.0, "bottom": -90.0}
    for name, direction in sides.items():
        apart = np.abs((directions_deg - direction + 180) % 360 - 180)
        if not (apart <= 50).any():
            return name
    return None
