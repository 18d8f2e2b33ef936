"""Where the golden part flickers: grey levels of one surface point, seen from several viewpoints.

Paint looks alike from all sides, metal does not; and where a highlight moves with the viewpoint it
also moves with a fraction of a degree of placement. One golden scan is enough to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
REACH_PX = 5  # 0.6 mm of placement is a pixel, the turned facet's highlight goes another

FloatMap = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Gloss:
    """What the other views of the golden scan say of every pixel.

    grey: (n, h, w) uint8, rms difference in grey levels to the other views that see the same
        point; 0 where no other view does, on the table and without depth.
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
    own = smooth[index][where]
    squares, seen = np.zeros(len(points)), np.zeros(len(points))
    for other, picture in zip(views, smooth, strict=True):
        if other is not view and _may_see(other, points, rays):
            grey = _grey_of(points, other, picture, rays)
            squares += np.nan_to_num(grey - own) ** 2
            seen += np.isfinite(grey)
    rms = np.minimum(np.sqrt(squares / np.maximum(seen, 1)), 255)
    flicker: npt.NDArray[np.uint8] = np.zeros(view.image.shape, np.uint8)
    flicker[where] = rms.round()
    flicker = _reaching(flicker)
    shared = where.copy()
    shared[where] = seen > 0
    return flicker, shared


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
