"""Do robot and pictures measure in one unit? The motions tell: AX = XB with the robot's lengths
times one more unknown is linear in it and in X's position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxgate.calib.handeye.consensus import HOPELESS_MM, consensus
from voxgate.calib.handeye.motions import relative, turn_of_x
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.lengths import Length, unit_of_ratio
from voxgate.calib.numerics.twist import inverse

NEAREST_MM, FARTHEST_MM = 60.0, 10_000.0  # from a camera to the board that it can focus on
# smaller arms than this one's are toys, and an arm of two metres written in cm is no larger
LEAST_REACH_MM, MOST_REACH_MM = 200.0, 10_000.0
LEAST_TRAVEL_MM, MOST_TRAVEL_MM = 10.0, 10_000.0
CLEARLY = 3.0  # times better with another scale


def scale_of(mounts: Array, camera_from_board: Array) -> float:
    """By what the robot's lengths must be multiplied to be the board's; (v, 4, 4) each.

    NaN where the poses do not turn enough to tell.
    """
    a, b = relative(mounts, camera_from_board)
    left = np.concatenate([a[:, :3, :3] - np.eye(3), a[:, :3, 3:]], axis=2).reshape(-1, 4)
    right = (b[:, :3, 3] @ turn_of_x(a, b).T).reshape(-1)
    found, _, rank, _ = np.linalg.lstsq(left, right, rcond=None)
    return float(found[3]) if rank == 4 and found[3] > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Scale:
    """By what the robot's lengths must be multiplied to be the board's, and how sure that is."""

    times: float
    sigma: float


def measured_scale(mounts: Array, camera_from_board: Array) -> Scale:
    """With its standard deviation, by leaving out each pose in turn; (v, 4, 4) each."""
    count = len(mounts)
    without = np.array(
        [
            scale_of(np.delete(mounts, view, axis=0), np.delete(camera_from_board, view, axis=0))
            for view in range(count)
        ]
    )
    spread = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    return Scale(scale_of(mounts, camera_from_board), float(spread))


def scaled(poses: Array, times: float) -> Array:
    """Poses (v, 4, 4) with their positions times a number."""
    found: Array = poses.copy()
    found[:, :3, 3] *= times
    return found


def lengths(poses: Array, camera_from_board: Array) -> tuple[Length, ...]:
    """What the poses (v, 4, 4) base_from_flange and the pictures say of the cell's size."""
    away = np.linalg.norm(camera_from_board[:, :3, 3], axis=1)
    reach = np.linalg.norm(poses[:, :3, 3], axis=1)
    travel = float(np.linalg.norm(np.ptp(poses[:, :3, 3], axis=0)))
    return (
        Length("the board's distance", float(np.median(away)), NEAREST_MM, FARTHEST_MM),
        Length("the flange's distance from the base", float(reach.max()),
               LEAST_REACH_MM, MOST_REACH_MM),
        Length("the robot's way", travel, LEAST_TRAVEL_MM, MOST_TRAVEL_MM),
    )  # fmt: skip


def other_scale(
    poses: Array, eye_in_hand: bool, camera_from_board: Array, points_mm: Array, gap_mm: float
) -> str | None:
    """What to write where the poses fit the pictures but for one factor; None where they do not.

    gap_mm: what they leave as they are.
    """
    mounts = poses if eye_in_hand else inverse(poses)
    times = scale_of(mounts, camera_from_board)
    if not np.isfinite(times) or 0.8 < times < 1.25:
        return None
    again = scaled(poses, times)
    left = consensus(again if eye_in_hand else inverse(again), camera_from_board, points_mm)
    if left.median_mm > HOPELESS_MM or left.median_mm * CLEARLY > gap_mm * min(1.0, times):
        return None
    unit = unit_of_ratio(1 / times)
    what = f"its description is in {unit}" if unit else f"its pitch is {1 / times:.3g} times larger"
    return (
        f"the robot moves {1 / times:.4g} times as far as the pictures of the board say: "
        f"either {what} and must be in mm, or the poses are in another unit (--unit)"
    )
