"""Deviation from the golden surface as a score: averaged, freed of what good parts differ by."""

from __future__ import annotations

import cv2
import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.compare import FloatMap, Found, opened
from voxgate.runtime.geometry.expected import ExpectedView
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.register_kernels import FAR, frame_deviation, score_on_surface
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.transforms import Transform, apply

AVERAGE_SIGMA_PX = 1.8  # over 7 x 7 px, some 3 mm: sensor noise shrinks about sixfold
AVERAGE_RADIUS_PX = 3
SAME_SURFACE_MM = 3.0
OPENING_PX = 3  # what is narrower is an edge's flicker, not a shape
# a slow change of shape up to this much is what good castings differ by, and forgiven
SLOW_LIMIT_MM = 0.1
SLOW_SIGMA_PX = 20.0
SLOW_BELIEVED_MM = 0.25
CELL_PX = 8  # the slow part is computed on a picture this much smaller
SCORE_MAX = 20.0
STRANGER_MM = 2.0  # before everything the golden view met there: more than any noise or edge


def surface_score(
    deviation: FloatMap, depth_mm: DepthMap, crew: Crew, tolerance_mm: float
) -> FloatMap:
    """(h, w) score, 1 = tolerance: averaged over the surface, freed of the slow part, narrow peaks
    opened away."""
    height, width = deviation.shape
    with_rim = (height + 2 * AVERAGE_RADIUS_PX, width + 2 * AVERAGE_RADIUS_PX)
    framed = crew.scratch("register.framed", with_rim, np.float32)
    framed_depth = crew.scratch("register.framed_depth", with_rim, np.float32)
    cells = (-(-height // CELL_PX), -(-width // CELL_PX))
    sums, counts = np.zeros(cells, np.float32), np.zeros(cells, np.float32)
    believed = np.float32(SLOW_BELIEVED_MM)
    for side in (slice(None, AVERAGE_RADIUS_PX), slice(-AVERAGE_RADIUS_PX, None)):
        framed_depth[side] = framed_depth[:, side] = FAR
        framed[side] = framed[:, side] = 0.0

    def frame(index: int) -> None:
        lo, hi = crew.span(index, cells[0])
        rows = np.array((lo * CELL_PX, min(hi * CELL_PX, height)))
        frame_deviation(
            rows, deviation, depth_mm, believed, CELL_PX, framed, framed_depth, sums, counts
        )

    crew.run(frame)
    slow = _slow_part(sums, counts, crew)
    score = crew.scratch("register.score", deviation.shape, np.float32)

    def part(index: int) -> None:
        score_on_surface(
            np.array(crew.span(index, height)),
            framed,
            framed_depth,
            slow,
            _GAUSS,
            np.float32(SAME_SURFACE_MM),
            np.float32(1 / tolerance_mm),
            score,
        )

    crew.run(part)
    square = np.ones((OPENING_PX, OPENING_PX), np.uint8)
    return np.asarray(cv2.morphologyEx(score, cv2.MORPH_OPEN, square), np.float32)


def add_strangers(
    found: Found,
    expected: ExpectedView,
    rays: Rays,
    golden_from_camera: Transform,
    geometry: FloatMap,
    tolerance_mm: float,
) -> None:
    """Score, in place, what stands where the golden view looked through to the table.

    No expected surface is near it, so it has no deviation; but the space was free.
    """
    unknown = found.doubtful[np.isnan(found.deviation.reshape(-1)[found.doubtful])]
    if not unknown.size:
        return
    depth = found.depth.reshape(-1)[unknown]
    ray = np.stack([rays.x.reshape(-1)[unknown], rays.y.reshape(-1)[unknown]], axis=-1)
    camera = np.column_stack([ray * depth[:, None], depth]).astype(np.float64)
    golden = apply(golden_from_camera, camera)
    height, width = geometry.shape
    u, v = np.rint(rays.project(golden)).T.astype(np.intp)
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    before_mm = np.zeros(geometry.shape, np.float32)
    before_mm.reshape(-1)[unknown[inside]] = (
        expected.free_mm[v[inside], u[inside]] - golden[inside, 2]
    )
    stranger = opened(before_mm > STRANGER_MM)
    score = np.minimum(before_mm[stranger] / np.float32(tolerance_mm), np.float32(SCORE_MAX))
    geometry[stranger] = np.maximum(geometry[stranger], score)


def _slow_part(sums: FloatMap, counts: FloatMap, crew: Crew) -> FloatMap:
    """What a good casting differs by over some 10 mm, within +-SLOW_LIMIT_MM; padded to cells."""
    sigma = SLOW_SIGMA_PX / CELL_PX
    smooth = cv2.GaussianBlur(sums, (0, 0), sigma)
    weight = np.maximum(cv2.GaussianBlur(counts, (0, 0), sigma), 1e-3)
    slow = np.clip(smooth / weight, -SLOW_LIMIT_MM, SLOW_LIMIT_MM)
    height, width = slow.shape[0] * CELL_PX, slow.shape[1] * CELL_PX
    whole = crew.scratch("register.slow", (height, width), np.float32)
    cv2.resize(slow, (width, height), dst=whole)
    return whole


def _gaussian(sigma: float, radius: int) -> FloatMap:
    profile = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.outer(profile, profile).astype(np.float32)


_GAUSS = _gaussian(AVERAGE_SIGMA_PX, AVERAGE_RADIUS_PX)
