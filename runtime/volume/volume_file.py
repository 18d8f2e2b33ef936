"""An anomaly volume on disk: one .npz that anyone's numpy reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.volume import Voxels


def save_volume(path: Path, voxels: Voxels, grid: GridSpec) -> None:
    """Write `ijk` int32 (n, 3), `score` float32 (n,), `hits` int32 (n,), `origin_mm` (3,),
    `voxel_mm`; part frame, complete or not at all. Raises VoxGateError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                ijk=voxels.ijk,
                score=voxels.score,
                hits=voxels.hits,
                origin_mm=np.array(grid.origin_mm),
                voxel_mm=np.float64(grid.voxel_mm),
            )
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise VoxGateError(f"{path}: the volume cannot be written: {error.strerror}") from error
