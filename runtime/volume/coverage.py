"""Was all of the expected surface looked at? Coverage is measured against it, never counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.lift_kernels import hit_near
from voxgate.runtime.volume.segment import label
from voxgate.runtime.volume.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How much of the expected surface this part's views measured.

    fraction: seen / expected voxels, 0..1. unseen_mm: (n, 3) float64 centres of the others, part
    frame. largest_unseen: voxels in the largest connected hole, a place where a defect could hide.
    """

    fraction: float
    seen: int
    unseen: int
    unseen_mm: npt.NDArray[np.float64]
    largest_unseen: int


def coverage(
    volume: Volume, expected_mm: npt.NDArray[np.float32], reference_from_part: Transform
) -> Coverage:
    """Compare hits with the expected surface: voxel centres (n, 3), mm, in the reference frame.

    A voxel is seen when it or one of its 26 neighbours was hit: the part stands a fraction of a
    voxel off, and vanished surface counts, for a ray passed through it. Points that were lost (no
    return) do not. Raises ValueError when nothing is expected.
    """
    if len(expected_mm) == 0:
        raise ValueError("expected at least one voxel of surface, got none")
    centres_mm = apply(invert(reference_from_part), expected_mm.astype(np.float64))
    ijk, seen = _near_hits(volume, centres_mm)
    unseen = np.unique(ijk[~seen], axis=0)
    count, labels = label(unseen)
    return Coverage(
        fraction=float(seen.mean()),
        seen=int(seen.sum()),
        unseen=int((~seen).sum()),
        unseen_mm=centres_mm[~seen],
        largest_unseen=int(np.bincount(labels).max()) if count else 0,
    )


def near(
    points_mm: npt.NDArray[np.float32], others_mm: npt.NDArray[np.float32], grid: GridSpec
) -> npt.NDArray[np.bool_]:
    """(n,) whether any of the others (m, 3) lies in the voxel of a point (n, 3), or next to it."""
    volume = Volume(grid)
    with Crew(1) as crew:
        lift_points(volume, others_mm, np.zeros(len(others_mm), np.float32), 0, crew)
    return _near_hits(volume, points_mm.astype(np.float64))[1]


def _near_hits(
    volume: Volume, points_mm: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Voxels (n, 3) of points (n, 3), part frame, and whether they or a neighbour were hit."""
    ijk = np.ascontiguousarray(volume.grid.voxels_of(points_mm))
    box = np.array([*volume.grid.shape, *volume.grid.blocks], np.int32)
    near_hit = np.empty(len(ijk), np.bool_)
    hit_near(ijk, box, volume.sparse, volume.table, volume.hits, near_hit)
    return ijk, near_hit


def warm_up() -> None:
    """Compile (or load) the kernels of this file."""
    volume = Volume(GridSpec((0.0, 0.0, 0.0), (2, 2, 2), 1.0))
    coverage(volume, np.ones((1, 3), np.float32), np.eye(4))
