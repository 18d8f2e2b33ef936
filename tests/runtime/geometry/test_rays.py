"""Rays: every pixel's ray must land on that pixel again, or the lens is refused."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits import scene
from tests.kits.repository import ROOT
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import expect
from voxgate.runtime.comparison.register import register
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import ROUND_TRIP_PX, Rays, project_point

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


# OpenCV's own functions are the oracle: nothing is shared with them
RATIONAL = np.array([0.21, -0.31, 0.0006, -0.0004, 0.05, 0.33, -0.28, 0.06])
WIDE = np.array([0.041, -0.012, 0.006, -0.0015])


def _bent(calibration: Calibration, model: str, distortion: npt.NDArray[np.float64]) -> Calibration:
    matrix = np.array([[350.0, 0, 161.0], [0, 352.0, 119.0], [0, 0, 1]])
    small = replace(calibration, width_px=320, height_px=240, camera_matrix=matrix)
    return replace(small, lens_model=model, distortion=distortion)


def _opencv_px(points: npt.NDArray[np.float64], known: Calibration) -> npt.NDArray[np.float64]:
    fisheye = known.lens_model == "fisheye"
    project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    nothing, flat = np.zeros(3), points.reshape(-1, 1, 3)
    found = project(flat, nothing, nothing, known.camera_matrix, known.distortion)[0]
    return np.asarray(found, np.float64).reshape(*points.shape[:-1], 2)


@pytest.mark.parametrize(("model", "distortion"), [("rational", RATIONAL), ("fisheye", WIDE)])
def test_a_lens_of_another_model_is_not_taken_for_browns(
    calibration: Calibration, model: str, distortion: npt.NDArray[np.float64]
) -> None:
    bent = _bent(calibration, model, distortion)
    rays = Rays.from_calibration(bent)
    points = rays.points(np.full((240, 320), 420.0, np.float32)).astype(np.float64)
    v, u = np.mgrid[0:240, 0:320]
    off_px = np.abs(_opencv_px(points, bent) - np.stack([u, v], axis=-1))
    assert off_px.max() < ROUND_TRIP_PX
    np.testing.assert_allclose(rays.project(points), _opencv_px(points, bent), atol=1e-6)
    some = points[::60, ::80].reshape(-1, 3).tolist()
    kernel = [project_point(x, y, z, rays.lens) for x, y, z in some]
    np.testing.assert_allclose(kernel, rays.project(points)[::60, ::80].reshape(-1, 2), atol=1e-6)


@pytest.mark.parametrize(("model", "distortion"), [("rational", RATIONAL), ("fisheye", WIDE)])
def test_rows_are_compared_through_the_lens_that_the_camera_has(
    calibration: Calibration, model: str, distortion: npt.NDArray[np.float64]
) -> None:
    """A view against itself: any other lens in a kernel would show as a deviation."""
    rays = Rays.from_calibration(_bent(calibration, model, distortion))
    pose = scene.camera(30.0)
    golden = scene.look(pose, noise_mm=0.0, through=rays)
    table_mm = scene.TABLE_Z_MM
    expected = expect(golden.image, scene.depth(golden), rays, pose, table_mm)
    with Crew(1) as crew:
        found = register(golden, 0, (expected,), rays, np.eye(4), crew)
    assert np.nanpercentile(np.abs(found.deviation_mm), 80) < 0.1  # the rest are edges
    on_part = np.isfinite(found.deviation_mm)
    differs = np.abs(found.reference[on_part].astype(int) - golden.image[on_part])
    assert np.percentile(differs, 99) <= 2


def test_a_fisheye_that_looks_backwards_is_refused(calibration: Calibration) -> None:
    bent = _bent(calibration, "fisheye", WIDE)
    matrix = bent.camera_matrix.copy()
    matrix[0, 0] = matrix[1, 1] = 60.0  # a corner is seen at 180 degrees
    with pytest.raises(CalibrationError, match="cannot be inverted"):
        Rays.from_calibration(replace(bent, camera_matrix=matrix))
