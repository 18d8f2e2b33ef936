"""How high above the table does the part begin? As low as this table, sensor and robot allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View

TABLE_MAX_MM = 1.5  # of height: a table that is flat to a millimetre
TABLE_MIN_MM = 0.3  # what good parts may differ by at their foot, as everywhere
# A picture holds some 10^5 measured points of the table, whose noise is not quite Gaussian, and the
# part under inspection is seen by a robot that stands 0.1 mm elsewhere.
SIGMAS = 8.0


def table_z_mm(views: Sequence[View], rays: Rays) -> float:
    """Height, part frame, mm, up to which the table was measured by these views.

    Between TABLE_MIN_MM, also where no table is seen, and TABLE_MAX_MM. The table is z = 0 of the
    part frame; median and median deviation, so that the part's foot does not count.
    """
    heights = np.concatenate([_near_table(view, rays) for view in views])
    if not heights.size:
        return TABLE_MIN_MM
    middle = float(np.median(heights))
    sigma = 1.4826 * float(np.median(np.abs(heights - middle)))
    top = middle + SIGMAS * sigma
    return float(round(np.clip(top, TABLE_MIN_MM, TABLE_MAX_MM), 2))


def _near_table(view: View, rays: Rays) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    assert view.depth_mm is not None  # load_golden refuses a scan without
    height = height_mm(view.depth_mm, rays, view.part_from_camera)
    return height[np.abs(height) < TABLE_MAX_MM]
