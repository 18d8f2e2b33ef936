"""The pose that a hand-eye calibration lacks most, in the robot's own numbers."""

from __future__ import annotations

import numpy as np

from voxgate.calib.handeye.motions import turns
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import motion
from voxgate.calib.robot_poses.pose_forms import PoseForm, to_numbers

TURN_DEG = 25.0


def next_pose(flanges: Array, form: PoseForm) -> str:
    """Turn the flange about the axis that was turned about least; words and numbers.

    flanges (v, 4, 4): base_from_flange of the poses that are there.
    """
    if len(flanges) == 0:
        return "take the first picture with the board in the middle of the picture"
    axis = _flange_axis(flanges)
    at = flanges[_middle(flanges)]
    proposed = at @ motion(np.concatenate([axis * np.radians(TURN_DEG), np.zeros(3)]))
    numbers = " ".join(f"{value:.3f}" for value in to_numbers(proposed, form))
    towards = ", ".join(f"{value:+.2f}" for value in axis)
    return (
        f"next pose: turn the flange by {TURN_DEG:g} deg about ({towards}) of its own axes, "
        f"for instance {numbers} ({form}); shift it until the board is in the picture again, and "
        f"take another one turned the other way"
    )


def _flange_axis(flanges: Array) -> Array:
    """Least used axis, in the flange's own frame, its largest component positive."""
    if len(flanges) == 1:
        return np.array([1.0, 0.0, 0.0])
    used = turns(flanges)
    least = used.axes[1] if used.spread_deg[1] < used.spread_deg[0] / 3 else used.axes[2]
    found: Array = least * np.sign(least[np.abs(least).argmax()])
    return found


def _middle(flanges: Array) -> int:
    """The pose nearest to all others."""
    apart = np.linalg.norm(flanges[:, None, :3, 3] - flanges[None, :, :3, 3], axis=2)
    return int(apart.sum(axis=1).argmin())
