"""Ours against the five methods of OpenCV 4, on the same poses: agreement, and who is nearer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.kits.calib_kit import off, shot, usual
from voxgate.benchmarks.calibration.calib_cell import make_cell, with_outliers
from voxgate.benchmarks.calibration.handeye_methods import METHODS, compare, opencv_handeye, summary
from voxgate.calib.handeye.motions import solve_ax_xb, solve_ax_zb
from voxgate.calib.numerics.twist import inverse, motion


@pytest.mark.parametrize("method", METHODS)
def test_every_method_agrees_on_exact_poses(method: str) -> None:
    x = motion(np.array([0.1, -0.2, 1.5, -60, 30, 90]))
    z = motion(np.array([3.0, 0.1, 0.0, 700, 20, 100]))
    generator = np.random.default_rng(0)
    mounts = np.array([motion(generator.normal(0, [0.4, 0.4, 0.4, 99, 99, 99])) for _ in range(12)])
    seen = inverse(mounts @ x) @ z
    theirs = opencv_handeye(method, mounts, seen)
    for ours in (solve_ax_xb(mounts, seen), solve_ax_zb(mounts, seen)[0]):
        wrong_mm, wrong_deg = off(ours, theirs)
        assert wrong_mm < 1e-3
        assert wrong_deg < 1e-4


def test_park_and_martin_is_theirs_on_noisy_poses() -> None:
    data = shot(0)
    theirs = opencv_handeye("park", data.flanges, data.seen)
    wrong_mm, wrong_deg = off(solve_ax_xb(data.flanges, data.seen), theirs)
    assert wrong_deg < 1e-4
    assert wrong_mm < 0.05
    assert off(theirs, usual(0).x)[0] < 1.0


def test_ours_is_at_least_as_accurate_over_some_cells() -> None:
    """The nightly test is over 200 cells; this one would see a change for the worse."""
    assert_ours_leads(summary([compare(seed) for seed in range(8)]))


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_ours_is_at_least_as_accurate_over_two_hundred_cells() -> None:
    assert_ours_leads(summary([compare(seed) for seed in range(200)]))


def assert_ours_leads(errors: dict[str, tuple[float, float]]) -> None:
    ours_mm, ours_deg = errors.pop("ours")
    assert ours_mm <= min(mm for mm, _ in errors.values())
    assert ours_deg <= min(deg for _, deg in errors.values())


def test_outliers_do_pull_the_others() -> None:
    """Else the comparison would say nothing about robustness."""
    cell = make_cell(3)
    spoilt = partial(with_outliers, cell.reported, 3, 4)
    theirs = opencv_handeye("park", spoilt(mm=20.0, deg=4.0), cell.camera_from_board)
    assert off(theirs, cell.x)[0] > 0.3
