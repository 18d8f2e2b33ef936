"""A lens that is uncertain where it does no harm is refused, or one that does harm is written."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.kits.calib_kit import lens_found, usual
from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, CalibCell, Noise, make_cell
from voxgate.calib.lens.at_part import lens_at_part_mm
from voxgate.calib.lens.intrinsics import Intrinsics, calibrate_lens
from voxgate.runtime.transforms import apply

pytestmark = pytest.mark.slow


def off_at_part_mm(found: Intrinsics, cell: CalibCell) -> float:
    """Rms distance, across the rays, of the board's points from where the lens that was found looks
    for them, from the place that suits it best."""
    points = np.concatenate([apply(pose, cell.board.points_mm) for pose in cell.camera_from_board])
    pixels = cell.lens.project(points)
    inside = ((pixels > 0) & (pixels < np.array(SIZE_PX) - 1)).all(axis=1)
    points, pixels = points[inside], pixels[inside]
    fx, fy, cx, cy, *bends = found.lens.values
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    _, turn, shift = cv2.solvePnP(points, pixels, matrix, np.array(bends))
    put, _ = cv2.projectPoints(points, turn, shift, matrix, np.array(bends))
    off_px = np.linalg.norm(put.reshape(-1, 2) - pixels, axis=1)
    return float(np.sqrt(((off_px * points[:, 2] / fx) ** 2).mean()))


def test_principal_point_that_the_cameras_place_makes_up_for_costs_nothing() -> None:
    found = lens_found()
    unsure = np.zeros_like(found.covariance)
    unsure[2, 2] = unsure[3, 3] = 4.0  # px^2: 2 px at 450 mm are 0.75 mm where nothing moves
    assert lens_at_part_mm(replace(found, covariance=unsure)) < 0.15


@pytest.mark.parametrize(
    "cells", [4, pytest.param(40, marks=[pytest.mark.nightly, pytest.mark.timeout(600)])]
)
def test_what_is_claimed_at_the_part_is_what_is_lost_there(cells: int) -> None:
    lost, claimed = [], []
    for seed in range(cells):
        cell = usual(seed) if seed == 0 else make_cell(seed)
        found = lens_found() if seed == 0 else calibrate_lens(cell.see(Noise(), seed)[0], SIZE_PX)
        lost.append(off_at_part_mm(found, cell) ** 2)
        claimed.append(lens_at_part_mm(found) ** 2)
    assert 0.5 < np.sqrt(np.mean(lost) / np.mean(claimed)) < 1.6
