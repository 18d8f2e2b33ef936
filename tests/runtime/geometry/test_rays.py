"""Rays: every pixel's ray must land on that pixel again, or the lens is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits.repository import ROOT
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import ROUND_TRIP_PX, Rays

EXAMPLES = ROOT / "examples" / "bracket"


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return Calibration.load(EXAMPLES / "calibration.json")


def _worst_round_trip_px(rays: Rays) -> float:
    height, width = rays.x.shape
    points = rays.points(np.full((height, width), 500.0, np.float32)).astype(np.float64)
    v, u = np.mgrid[0:height, 0:width]
    return float(np.hypot(*np.moveaxis(rays.project(points) - np.stack([u, v], -1), -1, 0)).max())


def test_every_ray_of_the_example_camera_lands_on_its_own_pixel(calibration: Calibration) -> None:
    assert _worst_round_trip_px(Rays.from_calibration(calibration)) < ROUND_TRIP_PX


@settings(max_examples=25, deadline=None)
@given(
    radial=st.tuples(st.floats(-0.25, 0.25), st.floats(0.0, 0.15), st.floats(0.0, 0.05)),
    tangential=st.tuples(st.floats(-0.003, 0.003), st.floats(-0.003, 0.003)),
    focal_px=st.floats(60.0, 400.0),
)
def test_a_lens_is_inverted_within_a_hundredth_of_a_pixel_or_refused(
    calibration: Calibration,
    radial: tuple[float, float, float],
    tangential: tuple[float, float],
    focal_px: float,
) -> None:
    matrix = np.array([[focal_px, 0, 40.0], [0, focal_px * 1.01, 30.0], [0, 0, 1]])
    lens = np.array([radial[0], radial[1], *tangential, radial[2]])
    small = replace(calibration, width_px=80, height_px=60, camera_matrix=matrix, distortion=lens)
    try:
        rays = Rays.from_calibration(small)
    except CalibrationError:
        return
    assert _worst_round_trip_px(rays) < ROUND_TRIP_PX


def test_a_lens_that_folds_over_is_refused(calibration: Calibration) -> None:
    folded = replace(calibration, distortion=np.array([-3.0, 0.0, 0.0, 0.0, 0.0]))
    with pytest.raises(CalibrationError, match="cannot be inverted"):
        Rays.from_calibration(folded)


def test_skewed_pixels_are_refused_not_ignored(calibration: Calibration) -> None:
    matrix = calibration.camera_matrix.copy()
    matrix[0, 1] = 0.5
    with pytest.raises(CalibrationError, match="skewed"):
        Rays.from_calibration(replace(calibration, camera_matrix=matrix))
