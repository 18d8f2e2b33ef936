"""Deviation from the golden surface as a score: averaged, freed of what good parts differ by."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.compare import FloatMap, Found
from voxgate.runtime.comparison.surface_score_kernels import (
    FAR,
    frame_deviation,
    join_scales,
    score_on_surface,
)
from voxgate.runtime.pixels.windows import window_px

AVERAGE_RADIUS_MM = 1.5  # over 7 x 7 px of 0.5 mm: sensor noise shrinks about sixfold
AVERAGE_SIGMAS = 1 / 0.6  # of the Gaussian, to the radius
SAME_SURFACE_MM = 3.0
OPENING_MM = 1.5  # what is narrower is an edge's flicker, not a shape
LEAST_OPENING_PX = 3  # it flickers by a pixel to either side, whatever a pixel spans
# a slow change of shape up to this much is what good castings differ by, and forgiven
SLOW_LIMIT_MM = 0.1
SLOW_SIGMA_MM = 10.0
SLOW_BELIEVED_MM = 0.25
CELL_PX = 4  # what lies around is computed on a picture this much smaller
# The fine scale: noise of 0.05 mm shrinks threefold, a dent of 3 mm keeps two thirds of its depth.
FINE_SIGMA_MM = 0.4
FINE_AROUND_MM = 2.0  # good castings differ by waves longer than this
FINE_LIMIT_MM = 0.15
FINE_OPENING_MM = 1.0
FINE_NOISE = 0.5  # of the fine tolerance: below it every surface has peaks, and they say nothing
FINE_SHARE = 0.8  # of the tolerance: freed of longer waves, good parts differ by less
SCORE_MAX = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class _Framed:
    """Deviation and depth with a rim, and the believed deviations summed per cell."""

    rim_px: int
    deviation: FloatMap
    depth: FloatMap
    sums: FloatMap
    counts: FloatMap


def surface_score(found: Found, crew: Crew, tolerance_mm: float, pixel_mm: float) -> FloatMap:
    """(h, w) float32 score, 1 = tolerance, 0 outside the box: the larger of two scales.

    The broad one averages over the surface, takes out what varies slowly and opens narrow peaks
    away; the fine one looks at less, against what lies around, and bears more where it is rough.
    """
    sigma_px = FINE_SIGMA_MM / pixel_mm
    radius_px = int(np.ceil(2 * sigma_px))
    average_px = window_px(AVERAGE_RADIUS_MM, pixel_mm)
    framed = _framed(found, max(average_px, radius_px), crew)
    slow, around = crew.both(
        lambda: _background(framed, window_px(SLOW_SIGMA_MM, pixel_mm), SLOW_LIMIT_MM),
        lambda: _background(framed, FINE_AROUND_MM / pixel_mm, FINE_LIMIT_MM),
    )
    average = _gaussian(average_px / AVERAGE_SIGMAS, average_px)
    broad = _score(framed, slow, average, tolerance_mm, "register.broad", crew)
    peaks = _score(framed, around, _gaussian(sigma_px, radius_px), 1.0, "register.fine", crew)
    broad, peaks = crew.both(
        lambda: _opened(broad, window_px(OPENING_MM, pixel_mm, LEAST_OPENING_PX)),
        lambda: _opened(peaks, max(2, round(FINE_OPENING_MM / pixel_mm))),
    )
    return _joined(found, broad, peaks, tolerance_mm, crew)


def _framed(found: Found, rim_px: int, crew: Crew) -> _Framed:
    rows, columns = found.box
    height, width = rows.stop - rows.start, columns.stop - columns.start
    with_rim = (height + 2 * rim_px, width + 2 * rim_px)
    deviation = crew.scratch("register.framed", with_rim, np.float32)
    depth = crew.scratch("register.framed_depth", with_rim, np.float32)
    cells = (-(-height // CELL_PX), -(-width // CELL_PX))
    sums, counts = np.zeros(cells, np.float32), np.zeros(cells, np.float32)
    for side in (slice(None, rim_px), slice(-rim_px, None)):
        depth[side] = depth[:, side] = FAR
        deviation[side] = deviation[:, side] = 0.0

    def frame(index: int) -> None:
        lo, hi = crew.span(index, cells[0])
        frame_deviation(
            np.array((lo * CELL_PX, min(hi * CELL_PX, height))),
            rows.start,
            columns.start,
            found.deviation,
            found.depth,
            np.float32(SLOW_BELIEVED_MM),
            CELL_PX,
            rim_px,
            deviation,
            depth,
            sums,
            counts,
        )

    crew.run(frame)
    return _Framed(rim_px, deviation, depth, sums, counts)


def _score(
    framed: _Framed,
    background: FloatMap,
    weights: FloatMap,
    tolerance_mm: float,
    name: str,
    crew: Crew,
) -> FloatMap:
    """(h, w): how far the weighted mean lies off the background, in tolerances; scratch memory."""
    rim = framed.rim_px
    height, width = framed.depth.shape
    score = crew.scratch(name, (height - 2 * rim, width - 2 * rim), np.float32)

    def part(index: int) -> None:
        score_on_surface(
            np.array(crew.span(index, score.shape[0])),
            framed.deviation,
            framed.depth,
            background,
            weights,
            np.float32(SAME_SURFACE_MM),
            np.float32(1 / tolerance_mm),
            score,
        )

    crew.run(part)
    return score


def _joined(
    found: Found, broad: FloatMap, peaks: FloatMap, tolerance_mm: float, crew: Crew
) -> FloatMap:
    rows, columns = found.box
    joined = np.zeros(found.deviation.shape, np.float32)

    def part(index: int) -> None:
        join_scales(
            np.array(crew.span(index, broad.shape[0])),
            rows.start,
            columns.start,
            broad,
            peaks,
            found.roughness,
            found.spread,
            np.float32((FINE_SHARE * tolerance_mm) ** 2),
            np.float32(FINE_NOISE),
            np.float32(1 / tolerance_mm),
            np.float32(SCORE_MAX),
            joined,
        )

    crew.run(part)
    return joined


def _background(framed: _Framed, sigma_px: float, limit_mm: float) -> FloatMap:
    """The believed deviation around every pixel, within +-limit_mm; padded to cells."""
    sigma = sigma_px / CELL_PX
    smooth, weight = (
        cv2.GaussianBlur(cells, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        for cells in (framed.sums, framed.counts)
    )
    mean = np.clip(smooth / np.maximum(weight, 1e-3), -limit_mm, limit_mm)
    height, width = mean.shape
    return np.asarray(cv2.resize(mean, (width * CELL_PX, height * CELL_PX)), np.float32)


def _opened(score: FloatMap, size_px: int) -> FloatMap:
    """What a square of size_px fits under; an even square has no middle pixel: growing it again
    needs the mirrored anchor."""
    square = np.ones((size_px, size_px), np.uint8)
    anchor, mirrored = size_px // 2, size_px - 1 - size_px // 2
    core = cv2.erode(score, square, anchor=(anchor, anchor))
    return np.asarray(cv2.dilate(core, square, anchor=(mirrored, mirrored)), np.float32)


def _gaussian(sigma: float, radius: int) -> FloatMap:
    profile = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.outer(profile, profile).astype(np.float32)
