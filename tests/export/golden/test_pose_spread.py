"""How uncertain a pose is, by its own fit: held against many fits of what noise did to one view."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from voxgate.export.golden.pose_spread import spread_mm

FOCAL_PX, NOISE_PX = 300.0, 0.7
LENS = np.array([[FOCAL_PX, 0.0, 100.0], [0.0, FOCAL_PX, 75.0], [0.0, 0.0, 1.0]])
Points = npt.NDArray[np.float64]


def fitted(points: Points, noise: Points) -> tuple[Points, Points]:
    """Pose (3, 4) of least squares by OpenCV, and what is left of it, px (n, 2)."""
    seen = cv2.projectPoints(points, np.zeros(3), np.zeros(3), LENS, None)[0].reshape(-1, 2) + noise
    turn, shift = cv2.solvePnPRefineLM(points, seen, LENS, None, *np.zeros((2, 3, 1)))
    again = cv2.projectPoints(points, turn, shift, LENS, None)[0].reshape(-1, 2)
    return np.hstack([cv2.Rodrigues(turn)[0], shift.reshape(3, 1)]), again - seen


@pytest.mark.parametrize("flat", [False, True])
def test_poses_scatter_more_than_one_fit_of_them_says(flat: bool) -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform([-60, -50, 520], [60, 50, 540 if flat else 640], (25, 3))
    part = rng.uniform([-90, -70, 500], [90, 70, 650], (50, 3))
    off, said = [], []
    for _ in range(150):
        pose, left = fitted(points, rng.normal(0, NOISE_PX, (25, 2)))
        off.append(part @ pose[:, :3].T + pose[:, 3] - part)
        said.append(spread_mm(points, left, part, FOCAL_PX))
    scatter_mm = np.sqrt((np.square(off).sum(axis=2)).mean())
    assert np.sqrt(np.mean(np.square(said))) == pytest.approx(scatter_mm, rel=0.15)


def test_points_that_leave_a_motion_open_place_a_part() -> None:
    rng = np.random.default_rng(1)
    line = np.array([[x, 0.0, 500.0] for x in range(20)])
    part = rng.uniform([-50, -50, 450], [50, 50, 550], (5, 3))
    assert spread_mm(line, rng.normal(0, 0.5, (20, 2)), part, FOCAL_PX) == np.inf
    assert spread_mm(part[:3], np.zeros((3, 2)), part, FOCAL_PX) == np.inf
