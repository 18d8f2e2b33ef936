"""Where the golden part flickers: grey levels of one surface point, seen from several viewpoints.

Paint looks alike from all sides, metal does not; and where a highlight moves with the viewpoint it
also moves with a fraction of a degree of placement. One golden scan is enough to tell.

A sheen that changes slowly over a face is light, which the comparison takes out; what wanders over
the face is left. What glitters is another thing again: its facets lie elsewhere on the next part,
and not a share of it must be borne but all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.geometry.projected import Box, Frustum, project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, View
from voxgate.runtime.transforms import apply

SMOOTH_PX = 1.2  # as the comparison smooths; below it is noise
# Two depths of one point: sensor noise and half a pixel (0.25 mm) on a surface at 70 degrees.
SAME_SURFACE_MM = 0.8
# Light as the comparison takes it out: a mean over about 18 px, in blocks of 8 px.
LIGHT_SIGMA_PX, BLOCK_PX = 18.0, 8
LEFT_GREY = 5.0  # of light that is taken out: borne as ever, a grey level after UNSTEADY
GLITTER_PX = 11  # glitter is finer than that, and is measured over as much
GAP_PX, FACE_PX = 9, 31  # a face that glitters does so over as much at least
# Highlights move by a fifth of their height between good parts, facets by all of it.
GLITTER_GAIN = 5.0
REACH_PX = 5  # 0.6 mm of placement is a pixel, the turned facet's highlight goes another

FloatMap = npt.NDArray[np.float32]
Around = Callable[[FloatMap], FloatMap]
"""(h, w) -> (h, w) the mean around every pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Gloss:
    """What the other views of the golden scan say of every pixel.

    grey: (n, h, w) uint8, rms difference in grey levels to the other views that see the same
        point, without light and with glitter times GLITTER_GAIN; 0 where no other view does, on the
        table and without depth.
    shared: (n, h, w) bool, where another view measured the same surface.
    """

    grey: npt.NDArray[np.uint8]
    shared: npt.NDArray[np.bool_]


def gloss(
    views: Sequence[View],
    rays: Rays,
    table_z_mm: float,
    filled_mm: Iterable[DepthMap] | None = None,
) -> Gloss:
    """Compare every view's points on the part with all other views, a second or two.

    filled_mm: per view the depth of what it shows without a return, NaN elsewhere.
    """
    smooth = [_smoothed(view) for view in views]
    shown = [part_points(view, rays, table_z_mm) for view in views]
    if filled_mm is not None:
        shown = [
            _with(filled, view, rays, *points)
            for filled, view, points in zip(filled_mm, views, shown, strict=True)
        ]
    found = [_one(index, views, smooth, rays, *each) for index, each in enumerate(shown)]
    return Gloss(np.stack([grey for grey, _ in found]), np.stack([shared for _, shared in found]))


def _smoothed(view: View) -> FloatMap:
    grey = cv2.GaussianBlur(view.image.astype(np.float32), (0, 0), SMOOTH_PX)
    return np.asarray(grey, np.float32)


def _with(
    filled_mm: DepthMap,
    view: View,
    rays: Rays,
    where: npt.NDArray[np.bool_],
    points: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """What a view measured of the part, and what it shows besides, row by row."""
    filled = np.isfinite(filled_mm)
    both = np.zeros((*where.shape, 3))
    both[where] = points
    both[filled] = apply(view.part_from_camera, rays.points(filled_mm)[filled].astype(np.float64))
    return where | filled, both[where | filled]


def _one(
    index: int,
    views: Sequence[View],
    smooth: list[FloatMap],
    rays: Rays,
    where: npt.NDArray[np.bool_],
    points: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    view = views[index]
    flicker, shared = np.zeros(where.shape, np.uint8), np.zeros(where.shape, np.bool_)
    if not len(points):
        return flicker, shared
    box = _box_of(where)
    shine = _Shine(smooth[index][box], where[box])
    for other, picture in zip(views, smooth, strict=True):
        if other is not view and _may_see(other, points, rays):
            shine.add(_grey_of(points, other, picture, rays))
    flicker[box] = np.minimum(shine.rms(), 255).round()
    shared[box] = shine.others > 0
    return _reaching(flicker), shared


class _Shine:
    """How one view's grey levels differ from those of the others, which are added one by one."""

    def __init__(self, own: FloatMap, on_part: npt.NDArray[np.bool_]) -> None:
        """own, on_part: (h, w)."""
        self._own, self._on_part = own, on_part
        self._texture = _without(own, on_part.astype(np.float32), _near)
        self._apart, self._wanders = np.zeros_like(own), np.zeros_like(own)
        self._fine, self._fine_squared = self._texture.copy(), np.square(self._texture)
        self.others = np.zeros_like(own)  # that see the point of each pixel

    def add(self, grey: npt.NDArray[np.float64]) -> None:
        """What one more view shows of the pixels on the part: (n,), NaN where it does not."""
        other = np.full(self._own.shape, np.nan, np.float32)
        other[self._on_part] = grey
        sees = np.isfinite(other).astype(np.float32)
        other = np.nan_to_num(other)
        apart = sees * (other - self._own)
        self._apart += np.square(apart)
        self._wanders += np.square(_without(apart, sees, _slow))
        fine = _without(other, sees, _near)
        self._fine += fine
        self._fine_squared += np.square(fine)
        self.others += sees

    def rms(self) -> FloatMap:
        """(h, w) grey levels: what wanders, and GLITTER_GAIN times what glitters.

        A dull place beside a shiny face does not wander, whatever light is taken out there."""
        wanders = self._wanders / np.maximum(self.others, 1) + LEFT_GREY**2
        borne = np.minimum(wanders, self._apart / np.maximum(self.others, 1))
        glitters = np.where(self.others > 0, self._glitter_squared(), np.float32(0))
        return np.asarray(np.sqrt(borne + GLITTER_GAIN**2 * glitters), np.float32)

    def _glitter_squared(self) -> FloatMap:
        """The variance of the fine part over all views, beyond the texture that this view shows,
        which the comparison bears by itself. What is painted is one texture in all of them."""
        views = self.others + 1
        varies = (self._fine_squared - np.square(self._fine) / views) / np.maximum(self.others, 1)
        of_all = _mean(varies, (self.others > 0).astype(np.float32), _near)
        of_own = _mean(np.square(self._texture), self._on_part.astype(np.float32), _near)
        return _all_over(np.maximum(of_all - of_own, 0))


def _box_of(where: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = (slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(where))
    return rows, columns


def _without(plane: FloatMap, counts: FloatMap, around: Around) -> FloatMap:
    """The plane without its own local mean, 0 where it does not count."""
    return counts * (plane - _mean(plane, counts, around))


def _mean(plane: FloatMap, counts: FloatMap, around: Around) -> FloatMap:
    """The local mean of what counts: where another view sees nothing, it tells of no light."""
    known = np.maximum(around(counts), np.float32(1e-6))
    return np.asarray(around(plane * counts) / known, np.float32)


def _slow(plane: FloatMap) -> FloatMap:
    height, width = plane.shape
    small = -(-width // BLOCK_PX), -(-height // BLOCK_PX)
    blocks = cv2.resize(plane, small, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(blocks, (0, 0), LIGHT_SIGMA_PX / BLOCK_PX)
    return np.asarray(cv2.resize(smooth, (width, height)), np.float32)


def _near(plane: FloatMap) -> FloatMap:
    return np.asarray(cv2.blur(plane, (GLITTER_PX, GLITTER_PX)), np.float32)


def _all_over(plane: FloatMap) -> FloatMap:
    """What a face has but for narrow gaps; an edge that only some views show is narrow itself."""
    gap, face = (np.ones((side, side), np.uint8) for side in (GAP_PX, FACE_PX))
    filled = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, gap)
    return np.asarray(cv2.morphologyEx(filled, cv2.MORPH_OPEN, face), np.float32)


def _may_see(view: View, points_mm: npt.NDArray[np.float64], rays: Rays) -> bool:
    depth_mm = view.depth_mm
    if depth_mm is None or not len(points_mm) or not (depth_mm > 0).any():
        return False
    return not Frustum.of(depth_mm, view.part_from_camera, rays).misses(Box.around(points_mm))


def _reaching(flicker: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Highlights wander: each reaches two pixels further, across pixels without depth too."""
    window = (REACH_PX, REACH_PX)
    wide = cv2.dilate(flicker, np.ones(window, np.uint8))
    return np.asarray(cv2.blur(wide, window), np.uint8)


def part_points(
    view: View, rays: Rays, table_z_mm: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Mask (h, w) of measured pixels on the part and their points (n, 3), part frame, mm.

    Raises ValueError when the view has no depth.
    """
    if view.depth_mm is None:
        raise ValueError(f"frame {view.frame_id}: expected depth, got none")
    on_part = height_mm(view.depth_mm, rays, view.part_from_camera) >= table_z_mm
    camera = rays.points(view.depth_mm)[on_part].astype(np.float64)
    return on_part, apply(view.part_from_camera, camera)


def _grey_of(
    points_mm: npt.NDArray[np.float64], view: View, picture: FloatMap, rays: Rays
) -> npt.NDArray[np.float64]:
    """(n,) grey level of each point in `view`; NaN where the view does not see it."""
    assert view.depth_mm is not None
    at = project_into(points_mm, view.part_from_camera, rays)
    depth_mm = view.depth_mm[at.rows, at.columns]
    visible = at.inside & (np.abs(depth_mm - at.depth_mm) < SAME_SURFACE_MM)
    return np.where(visible, picture[at.rows, at.columns], np.nan).astype(np.float64)
