"""Whether views place surface where other views look through: of what should overlap, what does.

Two views of one place give one surface. A point that one of them measured and the other looks past,
with all rays around it, cannot be where the first puts it: one of the two stands elsewhere. What is
hidden behind nearer surface says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.projected import project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, View
from voxgate.runtime.transforms import Transform, apply

STEP_PX = 8
PAST_MM = 5.0  # noise, a slope and the robot's error are far less
WINDOW_PX = 7  # an edge seen from another side lies some pixels off
LEAST_COMPARED = 50  # points: fewer are a rim that two views happen to share
# Views that stand right share all that they should; of two neighbours of a ring that are exchanged
# a quarter of the surface is looked through, a twentieth where most of it is a bare table.
SEEN_THROUGH_MAX = 0.02
Shares = npt.NDArray[np.float64]


def seen_through(views: Sequence[View], rays: Rays) -> Shares:
    """(v,) of each view: the median over the others of the share of common points, its and theirs,
    that are looked through. NaN where a view shares too little with every other.

    The median, for two views that stand wrong disagree with all, and all others only with those.
    Raises ValueError when a view has no depth.
    """
    nearest = [nearest_around(view) for view in views]
    points = [_points(view, rays) for view in views]
    count = len(views)
    past, compared = np.zeros((count, count)), np.zeros((count, count))
    for one in range(count):
        for other in range(count):
            if one != other:
                pose = views[other].part_from_camera
                past[one, other], compared[one, other] = _past(
                    points[one], nearest[other], pose, rays
                )
    both, past = compared + compared.T, past + past.T
    share = np.where(both >= LEAST_COMPARED, past / np.maximum(both, 1), np.nan)
    return np.array([_median(row) for row in share])


def _past(
    points_mm: npt.NDArray[np.float64], nearest: DepthMap, pose: Transform, rays: Rays
) -> tuple[int, int]:
    """How many of the points (n, 3) a view looks past, and how many it could see at all."""
    at = project_into(points_mm, pose, rays)
    depth = nearest[at.rows, at.columns]
    behind_mm = depth - at.depth_mm
    seen = at.inside & (depth > 0) & (behind_mm > -PAST_MM)  # else hidden behind what is nearer
    return int((seen & (behind_mm > PAST_MM)).sum()), int(seen.sum())


def nearest_around(view: View) -> DepthMap:
    """(h, w) float32, mm: the least depth around each pixel; 0 where one of them had no return."""
    known = np.nan_to_num(depth_of(view), nan=0.0)
    window = np.ones((WINDOW_PX, WINDOW_PX), np.uint8)
    least = cv2.erode(known, window, borderType=cv2.BORDER_CONSTANT, borderValue=0.0)
    return np.asarray(least, np.float32)


def _points(view: View, rays: Rays) -> npt.NDArray[np.float64]:
    """(n, 3) of every STEP_PX-th pixel, part frame, mm."""
    grid = (slice(STEP_PX // 2, None, STEP_PX),) * 2
    camera = rays.points(depth_of(view))[grid].reshape(-1, 3)
    return apply(view.part_from_camera, camera[np.isfinite(camera[:, 2])].astype(np.float64))


def depth_of(view: View) -> DepthMap:
    """Raises ValueError when there is none."""
    if view.depth_mm is None:
        raise ValueError(f"frame {view.frame_id} has no depth to compare")
    return view.depth_mm


def _median(row: Shares) -> float:
    known = row[np.isfinite(row)]
    return float(np.median(known)) if known.size else float("nan")
