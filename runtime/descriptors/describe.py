"""One door to every description of a depth map: the section says which, and how it is made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.fpfh import fpfh
from voxgate.runtime.descriptors.fpfh_kernels import CHANNELS
from voxgate.runtime.descriptors.point_groups import point_groups
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.recipe.sections.shapes import FpfhSection, ShapeSection


def description(
    depth_mm: DepthMap, rays: Rays, section: ShapeSection, crew: Crew
) -> npt.NDArray[np.float32]:
    """The input `name_of(section)` of one depth map (h, w), batch in front. Raises ValueError."""
    if isinstance(section, FpfhSection):
        return fpfh(depth_mm, rays, section, crew)[None]
    return point_groups(depth_mm, rays, section)[None, None]


def shape_of(section: ShapeSection, height_px: int, width_px: int) -> tuple[int, ...]:
    """Of that input, for depth maps of this size."""
    if isinstance(section, FpfhSection):
        return 1, CHANNELS, -(-height_px // section.step_px), -(-width_px // section.step_px)
    return 1, 1, section.rows, 3
