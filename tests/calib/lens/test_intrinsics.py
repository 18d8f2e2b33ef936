"""A lens that only looks right is worse than none: what is claimed is what is true."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kits.calib_kit import lens_found, usual
from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, Noise, lens, make_cell
from voxgate.calib.board.sightings import Sighting, Sightings
from voxgate.calib.lens.coverage import coverage
from voxgate.calib.lens.intrinsics import calibrate_lens, held_out_px
from voxgate.calib.lens.lens import LensModel
from voxgate.runtime.errors import CalibrationError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("model", LensModel)
def test_exact_points_give_the_exact_lens(model: LensModel) -> None:
    truth = lens(model)
    near = (90.0, 200.0) if model is LensModel.FISHEYE else (300.0, 560.0)
    cell = make_cell(4, views=14, of=truth, distance_mm=near)
    seen, _ = cell.see(Noise(corner_px=0.0), 0)
    found = calibrate_lens(seen, SIZE_PX, model)
    points = np.random.default_rng(0).uniform([-150, -110, 500], [150, 110, 600], (50, 3))
    assert np.abs(found.lens.project(points) - truth.project(points)).max() < 0.01
    if model is not LensModel.RATIONAL:  # its coefficients compensate each other
        assert found.lens.values[:4] == pytest.approx(truth.values[:4], abs=0.01)


def test_focal_length_and_principal_point_at_a_tenth_of_a_pixel() -> None:
    found, truth = lens_found(), usual().lens
    assert found.noise_px == pytest.approx(0.1, rel=0.1)
    assert np.abs(found.lens.values[:2] / truth.values[:2] - 1).max() < 0.001
    assert np.abs((found.lens.values - truth.values) / found.sigma).max() < 4


def test_views_left_out_are_predicted_as_well_as_the_noise_allows() -> None:
    held = held_out_px(lens_found())
    assert np.isfinite(held).all()
    assert np.sqrt((held**2).mean()) == pytest.approx(0.1 * np.sqrt(2), rel=0.1)


def test_bad_view_is_named_and_left_out() -> None:
    seen, _ = usual().see(Noise(), 0)
    views = [seen.of(view) for view in range(len(seen))]
    bent = views[3].pixels + 0.004 * (views[3].points_mm[:, :2] - 100) ** 2 / 10
    views[3] = Sighting("bent.png", views[3].points_mm, bent)
    found = calibrate_lens(Sightings.stack(views), SIZE_PX)
    assert [bad.name for bad in found.bad] == ["bent.png"]
    assert "px" in found.bad[0].why
    assert np.abs(found.lens.values[:2] / usual().lens.values[:2] - 1).max() < 0.001


def test_a_few_wrong_corners_do_not_pull() -> None:
    seen, _ = usual().see(Noise(), 0)
    pixels = seen.pixels.copy()
    wrong = np.random.default_rng(1).choice(len(pixels), len(pixels) // 100, replace=False)
    pixels[wrong] += 3.0
    spoilt = Sightings(seen.names, seen.points_mm, pixels, seen.view, seen.starts)
    found = calibrate_lens(spoilt, SIZE_PX)
    assert np.abs((found.lens.values - usual().lens.values) / found.sigma).max() < 4.5


def test_three_views_are_refused() -> None:
    seen, _ = usual().see(Noise(), 0)
    with pytest.raises(CalibrationError, match="at least 4 are needed"):
        calibrate_lens(seen.only([0, 1, 2]), SIZE_PX)


def test_views_of_one_direction_are_not_believed() -> None:
    """Without tilt focal length and distance are one; either it is refused, or the doubt shows."""
    seen, _ = make_cell(1, views=8, tilt_deg=0.5, distance_mm=(400, 401)).see(Noise(), 0)
    try:
        found = calibrate_lens(seen, SIZE_PX)
    except CalibrationError:
        return
    assert found.sigma[0] / found.lens.values[0] > 0.01


def test_advice_names_what_was_never_seen() -> None:
    found = lens_found()
    left = found.sightings.pixels[:, 0] < 400
    seen = found.sightings
    half = Sightings.stack(
        [
            Sighting(seen.names[view], seen.points_mm[own], seen.pixels[own])
            for view in range(len(seen))
            if (own := left & (seen.view == view)).any()
        ]
    )
    whole = coverage(seen, found.poses, SIZE_PX)
    partly = coverage(half, found.poses[: len(half)], SIZE_PX)
    assert partly.fraction <= 0.5 < whole.fraction
    assert "right" in partly.advice()[0]


def test_untilted_views_are_told_to_tilt() -> None:
    found = lens_found()
    flat = np.tile(np.eye(4), (len(found.sightings), 1, 1))
    flat[:, 2, 3] = 500
    advice = " ".join(coverage(found.sightings, flat, SIZE_PX).advice())
    assert "tilt the board more" in advice
    assert "nearer and farther" in advice
