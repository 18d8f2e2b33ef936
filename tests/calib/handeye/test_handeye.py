"""A hand-eye transform that is a little wrong passes bad parts at one side and fails good ones."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.special import chdtri

from tests.kits.calib_kit import lens_found, off, rows, shot, usual
from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, Noise, lens, make_cell, with_outliers
from voxgate.calib.handeye.handeye import (
    HandEye,
    Options,
    Shot,
    UnsettledError,
    calibrate_handeye,
    held_out,
)
from voxgate.calib.handeye.outliers import explain
from voxgate.calib.lens.intrinsics import calibrate_lens
from voxgate.calib.lens.lens import Lens
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, motion, twist_of
from voxgate.calib.robot_poses.pose_forms import PoseForm, flanges
from voxgate.runtime.errors import CalibrationError

pytestmark = pytest.mark.slow

FORM = PoseForm("wpr")


def solve(
    data: Shot, of: Lens | None = None, options: Options | None = None, numbers: Array | None = None
) -> HandEye:
    """Calibrate; the poses are rows of FORM."""
    table = rows(data.flanges, FORM) if numbers is None else numbers
    poses = flanges(table, FORM)
    data = Shot(data.sightings, data.seen, poses)
    why = partial(
        lambda view, expected: explain(view, data.sightings.names, poses, expected, table, FORM)
    )
    return calibrate_handeye(data, of or lens_found().lens, options or Options(), why)


@pytest.mark.parametrize("eye_in_hand", [True, False])
def test_camera_is_found_on_the_robot_and_beside_it(eye_in_hand: bool) -> None:
    data, truth = shot(0, eye_in_hand=eye_in_hand), usual(0, eye_in_hand=eye_in_hand)
    found = solve(
        data, lens_found(0, eye_in_hand=eye_in_hand).lens, Options(eye_in_hand, refine_lens=True)
    )
    wrong_mm, wrong_deg = off(found.x, truth.x)
    assert wrong_mm < 0.2
    assert wrong_deg < 0.05
    assert off(found.z, truth.z)[0] < 0.5
    assert found.outliers == ()


@pytest.mark.parametrize("seeds", [3, pytest.param(12, marks=pytest.mark.nightly)])
def test_claimed_uncertainty_covers_the_truth(seeds: int) -> None:
    """Squared Mahalanobis distances of X are chi-square with 6 degrees for each seed."""
    total = 0.0
    for seed in range(seeds):
        found = solve(shot(seed), lens_found(seed).lens, Options(refine_lens=True))
        wrong = twist_of(inverse(found.x[None])[0] @ usual(seed).x)
        total += float(wrong @ np.linalg.solve(found.covariance, wrong))
    assert chdtri(6 * seeds, 0.9995) < total < chdtri(6 * seeds, 0.0005)


def test_held_lens_passes_its_own_uncertainty_on() -> None:
    lens_of = lens_found()
    held = solve(shot(0), lens_of.lens, Options(lens_covariance=lens_of.covariance))
    blind = solve(shot(0), lens_of.lens, Options())
    assert (held.sigma_deg > 1.5 * blind.sigma_deg).any()
    assert held.lens is lens_of.lens


def test_robot_error_is_told_from_the_pictures_error() -> None:
    precise = make_cell(3, noise=Noise(robot_mm=0.0, robot_deg=0.0))
    sloppy = make_cell(3, noise=Noise(robot_mm=0.3, robot_deg=0.1))
    for cell, mm, deg in ((precise, 0.0, 0.0), (sloppy, 0.3, 0.1)):
        seen, reported = cell.see(Noise(), 3)
        lens_of = calibrate_lens(seen, SIZE_PX)
        found = solve(Shot(seen, lens_of.poses, reported), lens_of.lens, Options(refine_lens=True))
        assert found.robot_mm == pytest.approx(mm, rel=0.4, abs=0.03)
        assert found.robot_deg == pytest.approx(deg, rel=0.4, abs=0.008)


@pytest.mark.parametrize("seed", [1, 2])
def test_outlier_poses_are_named_and_do_not_pull(seed: int) -> None:
    data = shot(seed)
    spoilt = with_outliers(data.flanges, seed, 5, mm=2.0, deg=0.4)
    wrong = [f"{v:02d}.png" for v in np.flatnonzero((spoilt != data.flanges).any(axis=(1, 2)))]
    found = solve(
        Shot(data.sightings, data.seen, spoilt), lens_found(seed).lens, Options(refine_lens=True)
    )
    assert [each.name for each in found.outliers] == wrong
    assert all(each.off_mm == pytest.approx(2.0, abs=0.6) for each in found.outliers)
    assert off(found.x, usual(seed).x)[0] < 0.2


MISTAKES = {
    "its position is in m": lambda poses: poses[4, :3, 3].__itruediv__(1000),
    "its transform is inverted": lambda poses: poses.__setitem__(4, inverse(poses[4][None])[0]),
    "its position is in inches": lambda poses: poses[4, :3, 3].__itruediv__(25.4),
}


@pytest.mark.parametrize("why", MISTAKES)
def test_usual_mistakes_of_one_row_are_called_by_their_name(why: str) -> None:
    data = shot(0)
    MISTAKES[why](data.flanges)
    found = solve(data)
    assert [(each.name, each.why) for each in found.outliers] == [("04.png", why)]


def test_exchanged_rows_are_called_so() -> None:
    data = shot(0)
    data.flanges[[3, 17]] = data.flanges[[17, 3]]
    found = solve(data)
    assert [each.name for each in found.outliers] == ["03.png", "17.png"]
    assert found.outliers[0].why == "its row and that of 17.png are exchanged"


def test_row_in_another_form_is_called_so() -> None:
    data = shot(0)
    table = rows(data.flanges, FORM)
    table[6] = rows(data.flanges[6:7], PoseForm("zyx"))[0]
    found = solve(data, numbers=table)
    assert [each.name for each in found.outliers] == ["06.png"]
    assert "zyx" in found.outliers[0].why


def test_turns_about_one_axis_are_refused() -> None:
    data = shot(0)
    base = data.flanges[0]
    poses = np.array([base @ motion(np.array([0, 0, 0.1 * v, 0, 0, 3 * v])) for v in range(25)])
    with pytest.raises(UnsettledError, match=r"only 0\.0 deg about a second"):
        solve(Shot(data.sightings, data.seen, poses))


def test_two_poses_are_refused() -> None:
    data = shot(0).only([0, 1])
    with pytest.raises(CalibrationError, match="at least 3 poses"):
        solve(data)


def test_poses_of_another_robot_are_refused() -> None:
    data = shot(0)
    generator = np.random.default_rng(0)
    nonsense = np.array([motion(generator.normal(0, [1, 1, 1, 200, 200, 200])) for _ in range(25)])
    with pytest.raises(CalibrationError, match="do not"):
        solve(Shot(data.sightings, data.seen, nonsense))


def test_poses_left_out_are_predicted() -> None:
    options = Options(refine_lens=True)
    found = solve(shot(0), lens_found().lens, options)
    off_mm, off_deg = held_out(found, options)
    assert np.isfinite(off_mm).all()
    assert np.sqrt((off_mm**2).mean()) < 0.3
    assert np.sqrt((off_deg**2).mean()) < 0.05


def test_fewer_poses_claim_less() -> None:
    data = shot(0)
    few = solve(data.only(list(range(8))), lens())
    many = solve(data, lens())
    assert (few.sigma_mm > many.sigma_mm).all()
