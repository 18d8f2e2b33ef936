"""Scores of one grid on the voxels of another that is as fine or coarser."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import ScanError
from voxgate.runtime.volume.grid import GridSpec


def onto(
    target: GridSpec,
    ijk: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    source: GridSpec,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Voxels (n, 3) and scores (n,) of `source` on `target`: the highest score per target voxel.

    Raises ScanError when the target is finer: its voxels between two centres would be empty.
    """
    if source == target:
        return ijk, score
    if target.voxel_mm < source.voxel_mm:
        raise ScanError(
            f"the truth has {target.voxel_mm} mm voxels, the recipe {source.voxel_mm} mm: export "
            "the recipe from a scan with the truth's grid.json"
        )
    moved = target.voxels_of(source.centres_mm(ijk))
    inside = ((moved >= 0) & (moved < target.shape)).all(axis=1)
    moved, score = moved[inside], score[inside]
    order = np.lexsort((score, moved[:, 2], moved[:, 1], moved[:, 0]))
    moved, score = moved[order], score[order]
    last = np.append(np.any(np.diff(moved, axis=0) != 0, axis=1), True)
    return moved[last], score[last]
