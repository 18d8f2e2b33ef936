"""Where the golden part flickers: grey levels of one surface point, seen from several viewpoints.

Paint looks alike from all sides, metal does not; and where a highlight moves with the viewpoint it
also moves with a fraction of a degree of placement. One golden scan is enough to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.expected import height_mm
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import apply, invert

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


def gloss(views: Sequence[View], rays: Rays, table_z_mm: float) -> Gloss:
    """Compare every view's measured points on the part with all other views, a second or two."""
    smooth = [_smoothed(view) for view in views]
    found = [_one(index, views, smooth, rays, table_z_mm) for index in range(len(views))]
    return Gloss(np.stack([grey for grey, _ in found]), np.stack([shared for _, shared in found]))


def _smoothed(view: View) -> FloatMap:
    grey = cv2.GaussianBlur(view.image.astype(np.float32), (0, 0), SMOOTH_PX)
    return np.asarray(grey, np.float32)


def _one(
    index: int, views: Sequence[View], smooth: list[FloatMap], rays: Rays, table_z_mm: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    view = views[index]
    where, points = part_points(view, rays, table_z_mm)
    own = smooth[index][where]
    squares, seen = np.zeros(len(points)), np.zeros(len(points))
    for other, picture in zip(views, smooth, strict=True):
        if other is not view:
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
    camera = apply(invert(view.part_from_camera), points_mm)
    pixel = np.rint(rays.project(camera)).astype(np.int64)
    height, width = picture.shape
    inside = np.all((pixel >= 0) & (pixel < (width, height)), axis=1, keepdims=True)
    u, v = np.where(inside, pixel, 0).T
    assert view.depth_mm is not None
    visible = inside[:, 0] & (np.abs(view.depth_mm[v, u] - camera[:, 2]) < SAME_SURFACE_MM)
    return np.where(visible, picture[v, u], np.nan).astype(np.float64)
