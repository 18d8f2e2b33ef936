"""A golden view seen from elsewhere, and the golden part turned on the table: what MVTec 3D-AD
trains on beside what was recorded.

Its section 4.1 turns every sample 20 times by up to 5 degrees around the normal of the background
plane and projects the points into the picture again. Here the plane is the table, the axis goes
through the middle of the part, and where several points meet in a pixel the nearest is seen; what
no point falls on has no return.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import in_front
from voxgate.runtime.transforms import Transform, apply, invert

TIMES, MOST_DEG = 20, 5.0


def turn_about(middle_mm: npt.NDArray[np.float64], angle_rad: float) -> Transform:
    """(4, 4) turned_from_part: about the vertical axis through middle_mm (2,), part frame."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turned_from_part = np.eye(4)
    turned_from_part[:2, :2] = [[cos, -sin], [sin, cos]]
    turned_from_part[:2, 3] = middle_mm - turned_from_part[:2, :2] @ middle_mm
    return turned_from_part


def turned_view(view: View, rays: Rays, turned_from_part: Transform) -> dict[str, Tensor]:
    """As `seen_from`, of the view after the turn."""
    part_from_camera = view.part_from_camera
    return seen_from(view, rays, invert(part_from_camera) @ turned_from_part @ part_from_camera)


def seen_from(view: View, rays: Rays, camera_from_view: Transform) -> dict[str, Tensor]:
    """What a camera elsewhere sees of a view's points: `depth_mm` float32 (1, 1, h, w), 0 = no
    return, and `image` uint8 (1, c, h, w)."""
    assert view.depth_mm is not None  # load_golden refuses a scan without
    shape = view.depth_mm.shape
    measured = np.isfinite(view.depth_mm)
    points = rays.points(view.depth_mm)[measured].astype(np.float64)
    moved = apply(camera_from_view, points)
    source = np.flatnonzero(measured)[moved[:, 2] > 0]
    moved = moved[moved[:, 2] > 0]
    target, order = _pixels(rays.project(moved), moved[:, 2], shape)
    depth_mm = np.zeros(shape, np.float32)
    depth_mm.flat[target] = moved[order, 2]
    picture = in_front(view.picture)[0]
    seen = np.array([_carried(plane, target, source[order]) for plane in picture])
    return {"depth_mm": depth_mm[None, None], "image": seen[None]}


def _pixels(
    uv: npt.NDArray[np.float64], depth_mm: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Flat pixel, and number of the point that is seen there, each pixel once: the nearest."""
    u, v = np.rint(uv[:, 0]).astype(np.int64), np.rint(uv[:, 1]).astype(np.int64)
    inside = (u >= 0) & (u < shape[1]) & (v >= 0) & (v < shape[0])
    flat = np.where(inside, v * shape[1] + u, -1)
    nearest_first = np.argsort(depth_mm, kind="stable")
    pixels, first = np.unique(flat[nearest_first], return_index=True)
    order = nearest_first[first]
    return pixels[pixels >= 0], order[pixels >= 0]


def _carried(
    plane: npt.NDArray[np.uint8], target: npt.NDArray[np.int64], source: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """Grey levels at their new pixels; where nothing falls the picture stays as it was."""
    found = np.array(plane)
    found.flat[target] = plane.flat[source]
    return found
