"""Where a camera sees a flat board: camera_from_board from one picture."""

from __future__ import annotations

import cv2
import numpy as np

from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.lens.lens import Lens
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.robust import huber, noise_px
from voxgate.calib.numerics.twist import motion
from voxgate.runtime.transforms import Transform, apply

MIN_POINTS = 4
REFINEMENTS = 10
SETTLED = 1e-9  # rad and mm


def board_pose(sighting: Sighting, lens: Lens) -> Transform | None:
    """camera_from_board by IPPE (Collins and Bartoli 2014); of its two answers the nearer to the
    picture. None when the points do not settle a pose in front of the camera.

    The board may be far from flat in no way: IPPE is for planes.
    """
    poses = [pose for pose in _answers(sighting, lens) if _in_front(pose, sighting)]
    if not poses:
        return None
    return min(poses, key=lambda pose: _error(pose, sighting, lens))


def board_poses(sightings: Sightings, lens: Lens) -> list[Transform | None]:
    """`board_pose` of every view."""
    return [board_pose(sightings.of(view), lens) for view in range(len(sightings))]


def refined_poses(sightings: Sightings, lens: Lens, poses: Array) -> Array:
    """camera_from_board (v, 4, 4) of every picture alone, with the least reprojection error.

    poses (v, 4, 4): where to begin.
    """
    return np.array([_refined(sightings.of(view), lens, pose) for view, pose in enumerate(poses)])


def _refined(sighting: Sighting, lens: Lens, pose: Transform) -> Transform:
    for _ in range(REFINEMENTS):
        linear = lens.linearise(apply(pose, sighting.points_mm))
        off = linear.pixels - sighting.pixels
        weights = np.sqrt(huber(off, noise_px(off))[0])[:, None]
        rows = (linear.by_pose * weights[..., None]).reshape(-1, 6)
        found = np.linalg.lstsq(rows, -(off * weights).reshape(-1), rcond=None)[0]
        step = np.asarray(found, np.float64)
        pose = motion(step) @ pose
        if np.abs(step).max() < SETTLED:
            break
    return pose


def _answers(sighting: Sighting, lens: Lens) -> list[Transform]:
    if len(sighting.pixels) < MIN_POINTS:
        return []
    rays = lens.normalised(sighting.pixels)
    if not np.isfinite(rays).all():
        return []
    centre = sighting.points_mm.mean(axis=0)
    try:
        _, turns, shifts, _ = cv2.solvePnPGeneric(
            sighting.points_mm - centre, rays, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
    except cv2.error:  # the points lie on a line
        return []
    return [
        _transform(np.asarray(r), np.asarray(t), centre) for r, t in zip(turns, shifts, strict=True)
    ]


def _transform(turn: Array, shift: Array, centre: Array) -> Transform:
    pose = np.eye(4)
    pose[:3, :3] = np.asarray(cv2.Rodrigues(turn)[0])
    pose[:3, 3] = shift.ravel() - pose[:3, :3] @ centre
    return pose


def _in_front(pose: Transform, sighting: Sighting) -> bool:
    depth = apply(pose, sighting.points_mm)[:, 2]
    return bool(np.isfinite(pose).all() and (depth > 0).all())


def _error(pose: Transform, sighting: Sighting, lens: Lens) -> float:
    off = lens.project(apply(pose, sighting.points_mm)) - sighting.pixels
    return float((off**2).sum())
