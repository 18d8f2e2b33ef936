"""Every place and direction of a surface has one vote, however much of it was measured.

Least squares of points follow area: one large face that has moved holds more points than all that
stayed, and the part would be placed on it. Told apart by where they lie and where they face, the
pieces that stayed are many and the face is one. Source: sampling for ICP by the space of normals,
Rusinkiewicz and Levoy (2001); here by place too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CELLS_ACROSS = 4  # of the part's largest extent
LEAST_POINTS = 4  # of a full vote: less is what flickers at an edge

Floats = npt.NDArray[np.float64]


def votes(points_mm: Floats, normals: Floats) -> npt.NDArray[np.float32]:
    """(n,) weight of each point (n, 3) with its normal (n, 3), of one frame; the mean is 1.

    The points of one cell that face alike share a vote. A normal of 0 is a direction of its own.
    """
    low, high = points_mm.min(axis=0), points_mm.max(axis=0)
    cell_mm = float((high - low).max()) / CELLS_ACROSS
    cells = np.minimum((points_mm - low) / max(cell_mm, 1e-9), CELLS_ACROSS).astype(np.int64)
    keys = np.column_stack([cells, _facing(normals)])
    numbers = keys @ (CELLS_ACROSS + 1) ** np.arange(4)
    counts = np.bincount(numbers)[numbers]
    shares = 1.0 / np.maximum(counts, LEAST_POINTS)
    return np.asarray(shares / shares.mean(), np.float32)


def _facing(normals: Floats) -> npt.NDArray[np.int64]:
    """(n,) which of the six axes a normal is nearest to; 6 where there is none."""
    axis = np.abs(normals).argmax(axis=1)
    along = np.take_along_axis(normals, axis[:, None], axis=1)[:, 0]
    return np.where(along == 0, 6, 2 * axis + (along < 0))
