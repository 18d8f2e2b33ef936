"""Does the part stand on the table as the golden one did, or on something, or is it another height?

How it stands is told by its own surface alone (align.py): a part that is taller all over lies on
the golden one once it is thought so much lower. What tells is the table, which did not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import ExpectedView, height_mm
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert

STEP_PX = 5  # every fifth pixel of every fifth row
TABLE_MM = 2.0  # above or below z = 0: what else lies there is no table
LEAST_POINTS = 300

Floats = npt.NDArray[np.float64]


def lift_mm(
    views: Sequence[View],
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    points_mm: Floats,
) -> float | None:
    """The most by which a corner of the part's foot stands higher (+) or lower (-) over the table
    than the golden one's, where the part lies as aligned.

    points_mm: (n, 3) of the part, part frame. None where the views show no table that the golden
    ones do: the part is held, or the fixture fills them.
    """
    table = np.concatenate(
        [risen_mm(view, expected, rays) for view, expected in zip(views, golden, strict=True)]
    )
    if len(table) < LEAST_POINTS:
        return None
    low, high = points_mm.min(axis=0), points_mm.max(axis=0)
    foot = np.array([(x, y, 0.0) for x, y in product((low[0], high[0]), (low[1], high[1]))])
    risen = (apply(invert(reference_from_part), foot) - foot)[:, 2] - float(np.median(table))
    return float(risen[np.abs(risen).argmax()])


def risen_mm(view: View, expected: ExpectedView, rays: Rays) -> npt.NDArray[np.float32]:
    """(n,) by how much this view's table lies higher than the golden one's, pixel by pixel."""
    if view.depth_mm is None:
        raise ValueError(f"frame {view.frame_id} has no depth to find the table in")
    every = (slice(STEP_PX // 2, None, STEP_PX),) * 2
    sparse = Rays(rays.x[every], rays.y[every], rays.lens)
    now, before = (
        height_mm(depth[every], sparse, each.part_from_camera)
        for each, depth in ((view, view.depth_mm), (expected, expected.depth_mm))
    )
    bare = expected.returned[every] & ~expected.measured[every]
    table = bare & (np.abs(before) < TABLE_MM) & (np.abs(now) < TABLE_MM)  # a NaN is not
    return np.asarray((now - before)[table], np.float32)
