"""What the pictures of a tray prove: how small, how faint and how flat a fault is still told."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, isfinite, sqrt

import numpy as np
import numpy.typing as npt

from voxgate.runtime.instances import Proven
from voxgate.runtime.trays.neighbours.look import Look
from voxgate.runtime.trays.neighbours.shape import Difference
from voxgate.runtime.trays.surface import Grid

SMALLEST_VOXELS = 2.8  # three and a half pixels, of what PLENTY views look at
PLENTY = 20
PROVEN_SHARE = 0.5  # of the surface of every part; along edges little is believed
# What is left of a mark as wide as that, and of a hollow twice as wide, at its weakest: camera and
# fusion smear them, and so many voxels must reach the limit together. Of narrower ones nothing is.
MARK_LEFT = 0.25  # of the logarithm of the grey value
HOLLOW_LEFT = 0.15  # of the depth


def proven(grid: Grid, views: int, shapes: Sequence[Difference], looks: Sequence[Look]) -> Proven:
    """By what the parts of this tray scatter, and by what was seen of each."""
    smallest_mm = SMALLEST_VOXELS * grid.voxel_mm * sqrt(max(1.0, PLENTY / views))
    grey = max(_least(each.grey.limit, each.grey.believed, MARK_LEFT) for each in looks)
    depth_mm = max(_least(each.limit_mm, each.believed, HOLLOW_LEFT) for each in shapes)
    return Proven(smallest_mm, 1 - exp(-grey), depth_mm if isfinite(depth_mm) else None)


def _least(limit: float, believed: npt.NDArray[np.floating], left: float) -> float:
    """What reaches the limit on so much of the surface; believed: (n,) of a deviation there."""
    on_most = float(np.quantile(believed, 1 - PROVEN_SHARE)) if believed.size else 0.0
    return limit / (left * on_most) if on_most else inf
