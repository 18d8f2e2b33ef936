"""A hand-eye start that half of the poses may spoil: least median of squares over few poses.

Rousseeuw (1984): of many solutions from four poses each, the one whose median error is least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxgate.calib.handeye.motions import board_place, solve_ax_xb, solve_ax_zb, turns
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse
from voxgate.runtime.transforms import Transform

SAMPLE = 4
SAMPLES = 150  # with half of the poses wrong, four good ones come up in nine of them
SEED = 1  # the same data give the same answer
HOPELESS_MM = 20.0  # median gap: no robot is so wrong
AGREE = 4.0  # robust standard deviations


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """X, Z and gap_mm (v,): how far each pose puts the board's points from Z, rms."""

    x: Transform
    z: Transform
    gap_mm: Array

    @property
    def median_mm(self) -> float:
        """Median of the gaps: half of the poses are better."""
        return float(np.median(self.gap_mm))

    @property
    def agree(self) -> Array:
        """(v,) bool, the poses that agree with each other."""
        return np.asarray(self.gap_mm <= max(AGREE * self.median_mm, 1e-6))


def consensus(
    mounts: Array, camera_from_board: Array, points_mm: Array, samples: int = SAMPLES
) -> Start:
    """The most of the poses can agree on; points_mm (n, 3): the board's, to measure gaps by."""
    corners = _corners(points_mm)
    best = _start(*solve_ax_zb(mounts, camera_from_board), mounts, camera_from_board, corners)
    if len(mounts) > SAMPLE:
        tried = _best_of_few(samples, mounts, camera_from_board, corners)
        best = min(best, tried, key=lambda start: start.median_mm)
    return _again(best, mounts, camera_from_board, corners)


def gaps_mm(x: Array, z: Array, mounts: Array, seen: Array, points_mm: Array) -> Array:
    """(..., v) rms distance of the board's points (n, 3) as each pose places them from those of Z;
    x, z: (..., 4, 4)."""
    off = inverse(z)[..., None, :, :] @ mounts @ x[..., None, :, :] @ seen
    moved = points_mm @ np.swapaxes(off[..., :3, :3], -1, -2) + off[..., None, :3, 3]
    return np.asarray(np.sqrt(((moved - points_mm) ** 2).sum(axis=-1).mean(axis=-1)))


def _best_of_few(samples: int, mounts: Array, seen: Array, corners: Array) -> Start:
    """The solution from SAMPLE poses that most of the poses agree with best."""
    generator = np.random.default_rng(SEED)
    few = [generator.choice(len(mounts), SAMPLE, replace=False) for _ in range(samples)]
    x, z = solve_ax_zb(mounts[few], seen[few])
    gaps = gaps_mm(x, z, mounts, seen, corners)
    best = np.median(gaps, axis=1).argmin()
    return Start(x[best], z[best], gaps[best])


def _again(best: Start, mounts: Array, seen: Array, corners: Array) -> Start:
    """From all poses that agree with the best few."""
    agree = best.agree
    if agree.sum() < SAMPLE or not turns(mounts[agree]).enough:
        return best
    x = solve_ax_xb(mounts[agree], seen[agree])
    z = board_place(mounts[agree], x, seen[agree])
    tried = _start(x, z, mounts, seen, corners)
    return min(best, tried, key=lambda start: start.median_mm)


def _start(x: Transform, z: Transform, mounts: Array, seen: Array, corners: Array) -> Start:
    return Start(x, z, gaps_mm(x, z, mounts, seen, corners))


def _corners(points_mm: Array) -> Array:
    """The four corners of the board's extent."""
    low, high = points_mm.min(axis=0), points_mm.max(axis=0)
    unit = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]])
    return np.asarray(low + unit * (high - low))
