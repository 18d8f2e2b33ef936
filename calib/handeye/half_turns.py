"""A board that looks the same upside down: the robot's turns tell which way up it was seen.

Between two poses the camera turns by the flange's angle; with one of the two boards upside down by
another one. All pairs vote; the strongest common vote is the leading eigenvector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.calib.board.sightings import Sightings
from voxgate.calib.handeye.reading import angle_gap_deg, poses_as
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.robot_poses.pose_forms import PoseForm, forms_for

MOST_VOTE_DEG = 20.0  # a pair's say is not larger, however clear it is


def settle_half_turns(
    sightings: Sightings, seen: Array, numbers: Array, asked: Sequence[PoseForm]
) -> tuple[Sightings, Array, int]:
    """Points and camera_from_board (v, 4, 4) with every board the same way up, and how many were
    turned. numbers (v, k): the robot's rows, in a form of `asked`, or in any."""
    turn = half_turn(sightings.points_mm)
    best: tuple[float, Array] | None = None
    for form in {
        each.rotation + str(each.degrees): each for each in _forms(numbers, asked)
    }.values():
        poses = poses_as(numbers, form)
        if poses is None:
            continue
        over = _over(poses, seen, turn)
        gap = angle_gap_deg(poses, _turned(seen, over, turn))
        if best is None or gap < best[0]:
            best = gap, over
    if best is None:
        return sightings, seen, 0
    over = best[1]
    points = sightings.points_mm.copy()
    own = over[sightings.view]
    points[own] = points[own] @ turn[:3, :3].T + turn[:3, 3]
    return replace(sightings, points_mm=points), _turned(seen, over, turn), int(over.sum())


def half_turn(points_mm: Array) -> Array:
    """(4, 4) about the middle of the points; its own inverse."""
    middle = (points_mm.min(axis=0) + points_mm.max(axis=0)) / 2
    turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    turn[:2, 3] = 2 * middle[:2]
    return turn


def _forms(numbers: Array, asked: Sequence[PoseForm]) -> Sequence[PoseForm]:
    return asked or forms_for(numbers.shape[1])


def _turned(seen: Array, over: Array, turn: Array) -> Array:
    return np.where(over[:, None, None], seen @ turn, seen)


def _over(poses: Array, seen: Array, turn: Array) -> Array:
    """(v,) bool, which boards are upside down; fewer than half, as either way up is as good."""
    flange = _angles(poses[:, :3, :3])
    same = _between(seen[:, :3, :3], seen[:, :3, :3])
    other = _between(seen[:, :3, :3], seen[:, :3, :3] @ turn[:3, :3])
    votes = np.abs(flange - other) - np.abs(flange - same)
    votes = np.clip(votes, -MOST_VOTE_DEG, MOST_VOTE_DEG)
    np.fill_diagonal(votes, 0.0)
    _, axes = np.linalg.eigh((votes + votes.T) / 2)
    over = axes[:, -1] < 0
    return np.asarray(over if over.sum() * 2 <= len(over) else ~over)


def _angles(turns: Array) -> Array:
    """(v, v) deg between every two orientations of the flange, in its own frame."""
    between = np.einsum("aji,bjk->abik", turns, turns)
    return _degrees(between)


def _between(first: Array, second: Array) -> Array:
    """(v, v) deg by which the camera turned; the second board of each pair may be turned."""
    return _degrees(np.einsum("aij,bkj->abik", first, second))


def _degrees(turns: Array) -> Array:
    flat = Rotation.from_matrix(turns.reshape(-1, 3, 3)).magnitude()
    return np.asarray(np.degrees(flat)).reshape(turns.shape[:2])
