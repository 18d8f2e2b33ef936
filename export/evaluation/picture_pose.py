"""A pose for what has none: a picture with depth, put over the runtime's table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.transforms import Transform

FLOOR_MM = 2.0  # of the lowest point over the runtime's table; below it nothing is lifted


def lifted(depth_mm: npt.NDArray[np.float32]) -> Transform:
    """part_from_camera of one picture: z against the viewing direction, lowest point at 2 mm.

    depth_mm: (h, w), NaN where nothing was measured.
    """
    deepest = float(np.nanpercentile(depth_mm, 99.9))
    turned = np.diag([1.0, -1.0, -1.0, 1.0])
    turned[2, 3] = deepest + FLOOR_MM
    return turned
