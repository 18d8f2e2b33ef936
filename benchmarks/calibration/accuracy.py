"""How near calibration comes to the truth: 50 cells, 800 x 600 px, 25 poses, 0.1 px noise.

Corners are projected and get noise; a second table has some cells whose pictures are rendered and
searched. The lens is found from the same pictures as the hand-eye transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import chdtr

from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, CalibCell, Camera, Noise, make_cell
from voxgate.calib.board.detect import find_board
from voxgate.calib.board.sightings import Sightings
from voxgate.calib.handeye.handeye import HandEye, Options, Shot, calibrate_handeye
from voxgate.calib.handeye.outliers import Expected, OutlierPose
from voxgate.calib.lens.intrinsics import calibrate_lens
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, twist_of

SEEDS = 50
RENDERED = 5
PROMISED = {"focal length, %": 0.1, "principal point, px": 0.5,
            "hand-eye position, mm": 0.1, "hand-eye rotation, deg": 0.02}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Errors of one cell, and squared Mahalanobis lengths of X (6) and of the lens (9)."""

    errors: tuple[float, float, float, float]
    x_length: float
    lens_length: float


def outcome(seed: int, eye_in_hand: bool = True, rendered: bool = False) -> Outcome:
    """One cell, from its seed."""
    cell = make_cell(seed, eye_in_hand=eye_in_hand)
    seen, reported = _rendered(cell) if rendered else cell.see(Noise(), seed)
    lens = calibrate_lens(seen, SIZE_PX)
    rows = [seen.names.index(name) for name in lens.sightings.names]
    shot = Shot(lens.sightings, lens.poses, reported[rows])
    options = Options(eye_in_hand, refine_lens=True)
    found = calibrate_handeye(shot, lens.lens, options, _unexplained)
    return _judged(found, cell)


def medians(outcomes: Sequence[Outcome]) -> Array:
    """(4,) in the order of PROMISED."""
    return np.asarray(np.median([each.errors for each in outcomes], axis=0))


def coverage(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """P-values that the claimed covariances of X and of the lens cover the truth (chi-square)."""
    count = len(outcomes)
    x = chdtr(6 * count, sum(each.x_length for each in outcomes))
    lens = chdtr(9 * count, sum(each.lens_length for each in outcomes))
    return float(2 * min(x, 1 - x)), float(2 * min(lens, 1 - lens))


def _judged(found: HandEye, cell: CalibCell) -> Outcome:
    off_lens = found.lens.values - cell.lens.values
    off_x = twist_of(inverse(found.x[None])[0] @ cell.x)
    assert found.lens_covariance is not None  # it was refined
    return Outcome(
        (
            float(100 * np.abs(off_lens[:2] / cell.lens.values[:2]).max()),
            float(np.hypot(*off_lens[2:4])),
            float(np.linalg.norm(off_x[3:])),
            float(np.degrees(np.linalg.norm(off_x[:3]))),
        ),
        float(off_x @ np.linalg.solve(found.covariance, off_x)),
        float(off_lens @ np.linalg.solve(found.lens_covariance, off_lens)),
    )


def _rendered(cell: CalibCell) -> tuple[Sightings, Array]:
    camera = Camera(cell.lens, cell.board)
    found = [
        find_board(camera.render(pose, view), cell.board, f"{view:02d}.png")
        for view, pose in enumerate(cell.camera_from_board)
    ]
    kept = [view for view, each in enumerate(found) if each is not None]
    return Sightings.stack([each for each in found if each is not None]), cell.reported[kept]


def _unexplained(view: int, expected: Expected) -> OutlierPose:
    return OutlierPose(str(view), 0.0, 0.0, "")


def main() -> None:
    """Print medians against what is promised, and whether the claimed covariance is honest."""
    runs = {
        f"camera on the robot, {SEEDS} cells": [outcome(seed) for seed in range(SEEDS)],
        f"camera beside the robot, {SEEDS} cells": [outcome(seed, False) for seed in range(SEEDS)],
        f"rendered pictures, {RENDERED} cells": [
            outcome(seed, rendered=True) for seed in range(RENDERED)
        ],
    }
    table = Table("median error", "promised", *runs)
    rows = np.array([medians(outcomes) for outcomes in runs.values()])
    for name, limit, column in zip(PROMISED, PROMISED.values(), rows.T, strict=True):
        table.add_row(name, f"{limit:g}", *(f"{value:.4f}" for value in column))
    for index, name in enumerate(("chi-square of X, p", "chi-square of the lens, p")):
        table.add_row(name, "> 0.001", *(f"{coverage(each)[index]:.3f}" for each in runs.values()))
    Console().print(table)
