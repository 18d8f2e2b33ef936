"""Where the golden part gave no return, and what surface a view shows there none the less.

A sensor is dazzled, sees nothing in its own shadow, and black rubber swallows its light; the
picture is there all the same. Other views measured most of that surface: their points, seen from
here, the nearest one. A gap that measured surface surrounds is bridged. The depth is good enough
to say where a pixel of the picture lies on the part, and it is used for nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.bridge import bridges
from voxgate.export.golden.gloss import part_points
from voxgate.export.golden.unreturned_kernels import see
from voxgate.runtime.geometry.projected import project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.seen_through import PAST_MM, WINDOW_PX, depth_of, nearest_around
from voxgate.runtime.nouns import DepthMap, View
from voxgate.runtime.transforms import apply, invert

FACING = 0.1  # cosine between ray and normal: flatter, or from behind, nothing is seen
FAR_MM = 1e9  # farther than anything measured
SPLAT_PX = 3  # what another view measured from nearer or steeper leaves gaps of a pixel
AROUND_PX = WINDOW_PX + 2  # of a hole's edge, that other views tell to half a window and a pixel
NORMAL_PX = 2  # to either side: a normal over less is the sensor's noise

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Looks = Sequence[tuple[View, DepthMap]]  # other views, and what is nearest around their pixels


@dataclass(frozen=True, slots=True, eq=False)
class Unreturned:
    """depth_mm: (n, h, w) float32, of pixels that show the part and gave no return; NaN elsewhere.

    bridged: (n, h, w) bool, those of them that no other view measured either.
    """

    depth_mm: npt.NDArray[np.float32]
    bridged: npt.NDArray[np.bool_]


def find_unreturned(views: Sequence[View], rays: Rays, table_z_mm: float) -> Unreturned:
    """Of every view. Raises ValueError when one has no depth."""
    on_part = [part_points(view, rays, table_z_mm) for view in views]
    surfaces = [
        (points, _normals(view, rays)[mask])
        for view, (mask, points) in zip(views, on_part, strict=True)
    ]
    nearest = [nearest_around(view) for view in views]
    depths, bridges_of = [], []
    for index, view in enumerate(views):
        others = [number for number in range(len(views)) if number != index]
        seen = _seen_by([surfaces[other] for other in others], view, rays)
        looks = [(views[other], nearest[other]) for other in others]
        bridge = _bridged(seen, view, on_part[index][0], looks, rays)
        bridged = np.isfinite(bridge)
        depths.append(np.where(bridged, bridge, seen))
        bridges_of.append(bridged)
    return Unreturned(np.stack(depths), np.stack(bridges_of))


def _seen_by(others: Sequence[tuple[Points, Points]], view: View, rays: Rays) -> DepthMap:
    """(h, w) of silent pixels: the nearest of the others' points with normals; else NaN."""
    silent = ~(depth_of(view) > 0)
    nearest = np.full(silent.shape, FAR_MM, np.float32)
    camera_from_part, lens = invert(view.part_from_camera), tuple(rays.lens.tolist())
    for points, normals in others:
        see(points, normals, camera_from_part, lens, FACING, silent, nearest)
    spread = cv2.erode(nearest, np.ones((SPLAT_PX, SPLAT_PX), np.uint8))
    depth = np.where(nearest < FAR_MM, nearest, spread)
    return np.where(silent & (depth < FAR_MM), depth, np.nan).astype(np.float32)


def _bridged(depth: DepthMap, view: View, on_part: Mask, others: Looks, rays: Rays) -> DepthMap:
    """(h, w) where the part's surface goes on in its gaps, and no other view looks through it."""
    measured_mm = depth_of(view)
    gaps = np.isnan(depth) & ~(measured_mm > 0)
    bridge = np.full_like(depth, np.nan)
    for guess in bridges(np.where(on_part, measured_mm, depth), gaps):
        solid = np.isfinite(guess) & ~_looked_through(guess, view, others, rays)
        bridge = np.where(np.isnan(bridge) & solid, guess, bridge)
    return bridge


def _looked_through(bridge: DepthMap, view: View, others: Looks, rays: Rays) -> Mask:
    """(h, w) where another view met something well behind the bridge, or next to such: a view's
    edge is known to its window only."""
    bridged = np.isfinite(bridge)
    points = apply(view.part_from_camera, rays.points(bridge)[bridged].astype(np.float64))
    through = np.zeros(len(points), np.bool_)
    for other, nearest in others:
        at = project_into(points, other.part_from_camera, rays)
        through |= at.inside & (nearest[at.rows, at.columns] - at.depth_mm > PAST_MM)
    found = np.zeros(bridged.shape, np.uint8)
    found[bridged] = through
    return np.asarray(cv2.dilate(found, np.ones((AROUND_PX, AROUND_PX), np.uint8)) > 0)


def _normals(view: View, rays: Rays) -> Points:
    """(h, w, 3) float64 of length 1 towards the camera, part frame; NaN beside what is unknown."""
    points = rays.points(depth_of(view)).astype(np.float64)
    across, down = (_slope(points, axis) for axis in (1, 0))
    normal = np.cross(down, across)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.asarray(normal @ view.part_from_camera[:3, :3].T)


def _slope(points: Points, axis: int) -> Points:
    slope = np.full(points.shape, np.nan)
    size = points.shape[axis]
    middle, after, before = (
        [slice(None)] * axis + [each]
        for each in (
            slice(NORMAL_PX, size - NORMAL_PX),
            slice(2 * NORMAL_PX, None),
            slice(0, size - 2 * NORMAL_PX),
        )
    )
    slope[tuple(middle)] = points[tuple(after)] - points[tuple(before)]
    return slope
