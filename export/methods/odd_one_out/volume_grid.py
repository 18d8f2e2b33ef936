"""Where the network's volume lies around a tray, and how wide a voxel of it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.export.methods.odd_one_out.constants import Voxels
from voxgate.runtime.recipe.manifest import GridSection

AROUND = 1.25  # of what stands there: the next tray's parts stand a little elsewhere
BELOW = 1  # voxel under the table, whose surface the pictures show


def volume_grid(
    boxes_mm: npt.NDArray[np.float64], table_z_mm: float, voxels: Voxels
) -> GridSection:
    """The smallest voxels with room for all boxes (n, 2, 3), which stand on the table."""
    low, high = boxes_mm[:, 0].min(axis=0), boxes_mm[:, 1].max(axis=0)
    wide = AROUND * (high - low)[:2] / np.array(voxels[:2])
    tall = AROUND * (high[2] - table_z_mm) / (voxels[2] - BELOW)
    voxel_mm = float(max(*wide, tall))
    x, y = ((low + high)[:2] / 2 - voxel_mm * np.array(voxels[:2]) / 2).tolist()
    origin = (x, y, table_z_mm - BELOW * voxel_mm)
    return GridSection(origin_mm=origin, shape=voxels, voxel_mm=voxel_mm, table_z_mm=table_z_mm)
