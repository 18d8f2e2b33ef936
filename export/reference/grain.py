"""Faces that are grained all over: as strongly at every place of them, and alike in all directions.

The grain of such a face lies elsewhere on every part, so that another part shares with the golden
one its mean alone, and strays from it as the golden one does. A print, a step, a brushed or a
moulded pattern is none: it has an even place, a direction, or black beside white.

piece of steady surface -> strength, place by place -> alike in all directions? -> alike strong?
                        -> what several views call grained is so in all of them
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.golden import Golden
from voxgate.runtime.comparison.expected import MEASURED, STEADY, ExpectedView
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import apply

FINE_PX = 1.0  # sigma, as the comparison smooths; what is finer is noise
COARSE_MM = 3.5  # sigma; what is wider than some 10 mm is shade
DEPTH_PX = 2.0  # sigma: a slope of the surface without the noise of its depth
LEAST_GREY = 4.0  # rms; a weaker grain is borne as the texture of its surroundings
MOST_SHARE = 0.12  # of the grey level, rms; what is stronger is black and white print
LEAST_GRAINS = 30.0  # of a piece, to say that it is alike everywhere
LEAST_STRENGTH = 0.6  # of the usual one, at nine places of ten: no even place
MOST_ALONG = 3.0  # times as steep, squared, along its steepest direction as across: no line
LEAST_ALIKE = 0.5  # of a piece is grained and nothing else; shadows may cross the rest
MOST_VARIANCE = 2.0  # of the usual one: what stands out of the grain is none
MARGIN_PX = 5  # of a piece, whose edge has a slope of its own
LEAST_WEIGHT = 1e-3  # of what a mean is taken over
# A face shows a section of its grain, another part's another one: as strong as faces are in the
# middle, yet no more than so many times what it is here.
MOST_STRONGER = 1.6
LEAST_VIEWS, OF_VIEWS = 2, 3  # call a voxel grained: two at least, and one of three that see it

FloatMap = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Cut = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Grain:
    """The grained faces of one golden view.

    grey: (h, w) float32, rms of the grain of that face, grey levels; 0 off such faces.
    alike: (h, w) bool, where grain is, and nothing else.
    mean: (h, w) float32, grey level without grain, where alike.
    wide_mm: of a grain, half a wave; one of each piece.
    """

    grey: FloatMap
    alike: Mask
    mean: FloatMap
    wide_mm: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Grained:
    """What a golden scan has of grained faces.

    views: of each golden view. part_share: of the part's voxels that are grained; wide_mm: of a
    grain; grey, grey_share: rms, in grey levels and of the grey level.
    """

    views: tuple[Grain, ...]
    part_share: float
    wide_mm: float
    grey: float
    grey_share: float


@dataclass(frozen=True, slots=True, eq=False)
class _Texture:
    """Of one piece, (h, w) each. variance: around each place, grey levels squared. steep: slope
    squared per mm2 of surface; along: its largest over its smallest direction's."""

    mean: FloatMap
    variance: FloatMap
    steep: FloatMap
    along: FloatMap
    inner: Mask
    mm2: FloatMap


def grained(golden: Golden, expected: Sequence[ExpectedView]) -> Grained | None:
    """The golden scan's grained faces; None without one."""
    views = [grain_of(view, golden.rays) for view in expected]
    if not any(view.wide_mm for view in views):
        return None
    voxels = [_voxels(view, golden) for view in expected]
    count = int(np.prod(golden.grid.shape))
    seen, called = np.zeros(count, np.int32), np.zeros(count, np.int32)
    for at, view in zip(voxels, views, strict=True):
        seen[np.unique(at[at >= 0])] += 1
        called[np.unique(at[(at >= 0) & (view.grey > 0)])] += 1
    agreed = (called >= LEAST_VIEWS) & (called * OF_VIEWS >= seen)
    strengths = [view.grey[view.alike] for view in views]
    shares = [view.grey[view.alike] / view.mean[view.alike] for view in views]
    share = float(np.median(np.concatenate(shares)))
    return Grained(
        views=tuple(
            _completed(view, known, agreed[at] & (at >= 0), share)
            for view, known, at in zip(views, expected, voxels, strict=True)
        ),
        part_share=float(np.count_nonzero(agreed) / np.count_nonzero(seen)),
        wide_mm=float(np.median([wide for view in views for wide in view.wide_mm])),
        grey=float(np.median(np.concatenate(strengths))),
        grey_share=share,
    )


def grain_of(view: ExpectedView, rays: Rays) -> Grain:
    """What one golden view alone tells of its pieces of steady surface."""
    picture = view.image.astype(np.float32)
    grain = Grain(np.zeros_like(picture), np.zeros(picture.shape, np.bool_), np.zeros_like(picture))
    metric, sigma_px = _metric(view, rays), COARSE_MM / view.pixel_mm
    wide: list[float] = []
    for cut, own in _pieces(view, sigma_px):
        texture = _texture(picture[cut], own, [each[cut] for each in metric], sigma_px)
        alike = texture.inner & (texture.along <= MOST_ALONG)
        if not _mostly(alike, texture.inner):
            continue
        usual = float(np.median(texture.variance[alike]))
        wide_mm = np.pi * np.sqrt(usual / max(float(np.median(texture.steep[alike])), 1e-9))
        if _is_grain(texture, own, usual, float(picture[cut][own].mean()), wide_mm):
            alike &= texture.variance <= MOST_VARIANCE * usual
            grain.grey[cut][own] = np.sqrt(usual)
            grain.alike[cut] |= alike
            grain.mean[cut][alike] = texture.mean[alike]
            wide.append(float(wide_mm))
    return Grain(grain.grey, grain.alike, grain.mean, tuple(wide))


def _is_grain(texture: _Texture, own: Mask, usual: float, level: float, wide_mm: float) -> bool:
    grey = np.sqrt(usual)
    weakest = float(np.quantile(texture.variance[texture.inner], 0.1))
    mm2 = float(np.median(texture.mm2[texture.inner])) * np.count_nonzero(own)
    return bool(
        LEAST_GREY <= grey <= MOST_SHARE * level
        and weakest >= LEAST_STRENGTH**2 * usual
        and mm2 >= LEAST_GRAINS * wide_mm**2
    )


def _mostly(alike: Mask, inner: Mask) -> bool:
    return bool(np.count_nonzero(alike) > LEAST_ALIKE * np.count_nonzero(inner))


def _pieces(view: ExpectedView, sigma_px: float) -> Iterator[tuple[Cut, Mask]]:
    """Where a piece lies, with room around it, and its pixels there."""
    asked = MEASURED | STEADY
    steady = ((view.known & asked) == asked).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(steady, connectivity=4)
    room = int(np.ceil(3 * sigma_px))
    for piece, (left, top, width, height, _) in enumerate(boxes):
        if piece > 0 and min(width, height) > MARGIN_PX:
            rows = slice(max(0, top - room), top + height + room)
            columns = slice(max(0, left - room), left + width + room)
            yield (rows, columns), labels[rows, columns] == piece


def _texture(picture: FloatMap, own: Mask, metric: list[FloatMap], sigma_px: float) -> _Texture:
    weight = own.astype(np.float32)
    smooth, mean = _mean(picture, weight, FINE_PX), _mean(picture, weight, sigma_px)
    variance = _mean(np.square(smooth - mean), weight, sigma_px)
    inner = np.asarray(cv2.erode(weight, np.ones((MARGIN_PX, MARGIN_PX))), np.float32)
    down, across = np.gradient(smooth)
    a, b, c = (_mean(x, inner, sigma_px) for x in (across**2, across * down, down**2))
    e, f, g = (_mean(x, inner, sigma_px) for x in metric)
    # of slopes on the surface: the eigenvalues of the metric's inverse times the picture's
    mm4 = np.maximum(e * g - f * f, np.float32(1e-9))
    half = (g * a - 2 * f * b + e * c) / mm4 / 2
    root = np.sqrt(np.maximum(half**2 - np.maximum(a * c - b * b, 0) / mm4, 0))
    along = (half + root) / np.maximum(half - root, np.float32(1e-9))
    return _Texture(mean, variance, 2 * half, along, inner > 0, np.sqrt(mm4))


def _mean(plane: FloatMap, weight: FloatMap, sigma_px: float) -> FloatMap:
    """Around each place, of what has weight."""
    total, known = (cv2.GaussianBlur(x, (0, 0), sigma_px) for x in (plane * weight, weight))
    return np.asarray(total / np.maximum(known, LEAST_WEIGHT), np.float32)


def _metric(view: ExpectedView, rays: Rays) -> list[FloatMap]:
    """Of the surface that a pixel shows: across by across, across by down, down by down, mm2."""
    depth_mm = cv2.GaussianBlur(view.depth_mm, (0, 0), DEPTH_PX)
    down, across = np.gradient(rays.points(np.asarray(depth_mm, np.float32)), axis=(0, 1))
    pairs = (across, across), (across, down), (down, down)
    return [np.asarray((a * b).sum(axis=-1), np.float32) for a, b in pairs]


def _voxels(view: ExpectedView, golden: Golden) -> npt.NDArray[np.intp]:
    """(h, w) the number of the voxel that each pixel measured, -1 off the part and the grid."""
    points = golden.rays.points(view.depth_mm).astype(np.float64)
    ijk = golden.grid.voxels_of(apply(view.part_from_camera, points).reshape(-1, 3))
    inside = (ijk >= 0).all(axis=1) & (ijk < golden.grid.shape).all(axis=1)
    inside &= view.measured.reshape(-1)
    at = np.full(len(ijk), -1, np.intp)
    at[inside] = np.ravel_multi_index(tuple(ijk[inside].T), golden.grid.shape)
    return at.reshape(view.depth_mm.shape)


def _completed(view: Grain, known: ExpectedView, agreed: Mask, share: float) -> Grain:
    """With what the other views call grained: a shadow, or a piece too small, told this one
    nothing."""
    own = view.grey > 0
    weight = (agreed | own).astype(np.float32)
    level = _mean(known.image.astype(np.float32), weight, COARSE_MM / known.pixel_mm)
    usual = np.float32(share) * level
    stronger = np.clip(usual, view.grey, MOST_STRONGER * view.grey)
    grey = np.where(own, stronger, np.where(agreed, usual, 0))
    return Grain(grey.astype(np.float32), view.alike, view.mean, view.wide_mm)
