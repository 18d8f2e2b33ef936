"""What the golden scan has no surface for: in space that it proved free, or that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.compare import FloatMap, Found, Mask, opened
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.register_kernels import free_behind
from voxgate.runtime.comparison.surface_score import SCORE_MAX
from voxgate.runtime.geometry.projected import Box, project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform, apply

STRANGER_MM = 2.0  # before everything a golden view met there: more than any noise or edge


def add_strangers(
    found: Found,
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    golden_from_camera: Transform,
    geometry: FloatMap,
    tolerance_mm: float,
) -> float:
    """Score, in place, what stands where a golden view looked through; returns what is left, mm2.

    No expected surface is near such a point, so it has no deviation; but the space was free. What
    is left is measured surface of the part, as it faces the camera, that no golden view makes a
    statement about: single pixels at edges are not counted.
    """
    unknown = _unknown(found, golden[planned].pixel_mm)
    if not unknown.any():
        return 0.0
    before_mm = _before_golden(unknown, found, planned, golden, rays, golden_from_camera)
    stranger = opened(before_mm > STRANGER_MM, golden[planned].pixel_mm)
    score = np.minimum(before_mm[stranger] / np.float32(tolerance_mm), np.float32(SCORE_MAX))
    geometry[stranger] = np.maximum(geometry[stranger], score)
    left = unknown & ~stranger
    return float((found.depth[left] ** 2).sum() / (rays.lens[0] * rays.lens[1]))


def _unknown(found: Found, pixel_mm: float) -> Mask:
    """(h, w): measured pixels on the part without a statement, where they are an area."""
    numbers = found.doubtful[np.isnan(found.deviation.reshape(-1)[found.doubtful])]
    unknown: Mask = np.zeros(found.deviation.shape, np.bool_)
    if numbers.size:
        unknown.reshape(-1)[numbers] = True
        unknown = opened(unknown, pixel_mm)
    return unknown


def _before_golden(
    unknown: Mask,
    found: Found,
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    golden_from_camera: Transform,
) -> FloatMap:
    """(h, w) float32: how far before the nearest thing that some golden view met there, mm."""
    depth = found.depth[unknown]
    ray = np.stack([rays.x[unknown], rays.y[unknown]], axis=-1)
    camera = np.column_stack([ray * depth[:, None], depth]).astype(np.float64)
    reference = apply(golden[planned].part_from_camera @ golden_from_camera, camera)
    before_mm = np.zeros(found.depth.shape, np.float32)
    box = Box.around(reference)
    looking = [each for each in golden if not each.frustum.misses(box)]
    nothing = np.zeros(len(reference), np.float32)
    before_mm[unknown] = np.max(
        [nothing, *(_free_mm(each, reference, rays) for each in looking)], axis=0
    )
    return before_mm


def _free_mm(
    golden: ExpectedView, points_mm: npt.NDArray[np.float64], rays: Rays
) -> npt.NDArray[np.float32]:
    """(n,) float32: free way behind each point (n, 3), reference frame, in one golden view; 0 where
    it is no more than STRANGER_MM."""
    at = project_into(points_mm, golden.part_from_camera, rays)
    rows, columns, z = (np.ascontiguousarray(each) for each in (at.rows, at.columns, at.depth_mm))
    free_mm = np.zeros(len(points_mm), np.float32)
    free_behind(
        *(rows, columns, z, at.inside),
        *(golden.depth_mm, golden.known, golden.free_radius_px, STRANGER_MM, free_mm),
    )
    return free_mm


def warm_up(golden: ExpectedView, rays: Rays) -> None:
    """Compile (or load) the kernel of this file."""
    _free_mm(golden, np.ones((1, 3)), rays)
