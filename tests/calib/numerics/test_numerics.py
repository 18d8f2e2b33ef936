"""The mathematics under calibration: lenses, small motions, least squares, hand-eye equations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.kits.repository import BRACKET
from voxgate.benchmarks.calibration.calib_cell import lens
from voxgate.calib.handeye.motions import board_place, solve_ax_xb, solve_ax_zb, turns
from voxgate.calib.lens.lens import LensModel
from voxgate.calib.numerics.least_squares import Array, covariances, gauss_newton, normal_equations
from voxgate.calib.numerics.twist import adjoint, inverse, motion, twist_of
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import apply

numbers = st.floats(-1, 1, allow_nan=False)
twists = st.lists(numbers, min_size=6, max_size=6).map(
    lambda values: np.array(values) * [1.5, 1.5, 1.5, 300, 300, 300]
)


def random_poses(seed: int, count: int, axis: Array | None = None) -> Array:
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        turn = generator.normal(0, 0.5, 3) if axis is None else axis * generator.normal(0, 0.5)
        found.append(motion(np.concatenate([turn, generator.normal(0, 200, 3)])))
    return np.array(found)


@pytest.mark.parametrize("model", LensModel)
def test_lens_derivatives_are_those_of_its_projection(model: LensModel) -> None:
    camera = lens(model)
    points = np.random.default_rng(0).uniform([-150, -100, 400], [150, 100, 700], (20, 3))
    linear = camera.linearise(points)
    for column in range(6):
        step = np.zeros(6)
        step[column] = 1e-4
        ahead = camera.project(apply(motion(step), points))
        behind = camera.project(apply(motion(-step), points))
        assert linear.by_pose[:, :, column] == pytest.approx((ahead - behind) / 2e-4, abs=1e-3)
    for column in range(len(camera.values)):
        step = np.zeros(len(camera.values))
        step[column] = 1e-5
        ahead = camera.with_values(camera.values + step).project(points)
        behind = camera.with_values(camera.values - step).project(points)
        assert linear.by_lens[:, :, column] == pytest.approx((ahead - behind) / 2e-5, abs=1e-3)


@pytest.mark.parametrize("model", LensModel)
def test_ray_of_a_pixel_comes_back_to_the_pixel(model: LensModel) -> None:
    camera = lens(model)
    u, v = np.meshgrid(np.linspace(0, 799, 9), np.linspace(0, 599, 7))
    pixels = np.stack([u.ravel(), v.ravel()], axis=1)
    rays = camera.normalised(pixels)
    back = camera.project(np.column_stack([rays, np.ones(len(rays))]) * 500)
    assert np.abs(back - pixels).max() < 1e-3


def test_the_runtime_sees_a_point_at_the_same_pixel() -> None:
    calibration = Calibration.load(BRACKET / "calibration.json")
    camera = lens().with_values(
        np.array([*calibration.camera_matrix[[0, 1, 0, 1], [0, 1, 2, 2]], *calibration.distortion])
    )
    points = np.random.default_rng(0).uniform([-150, -100, 400], [150, 100, 700], (50, 3))
    seen = Rays.from_calibration(calibration).project(points)
    assert camera.project(points) == pytest.approx(seen, abs=1e-6)


@given(twists)
def test_twist_and_motion_undo_each_other(twist: Array) -> None:
    assert motion(twist_of(motion(twist))) == pytest.approx(motion(twist), abs=1e-9)


@given(twists, twists)
def test_adjoint_carries_a_small_motion_to_the_other_frame(twist: Array, small: Array) -> None:
    a_from_b = motion(twist)
    step = small * 1e-6
    carried = motion(adjoint(a_from_b[None])[0] @ step)
    there = a_from_b @ motion(step) @ inverse(a_from_b[None])[0]
    assert carried == pytest.approx(there, abs=1e-6)


def test_eliminating_the_views_changes_no_solution() -> None:
    generator = np.random.default_rng(0)
    starts = np.array([0, 7, 15])
    by_shared, by_own = generator.normal(size=(20, 2, 4)), generator.normal(size=(20, 2, 6))
    residuals, weights = generator.normal(size=(20, 2)), generator.uniform(0.5, 2, 20)
    system = normal_equations(by_shared, by_own, residuals, weights, starts, 1.0)
    full = np.zeros((40, 4 + 18))
    view = np.repeat([0, 1, 2], [7, 8, 5])
    full[:, :4] = by_shared.reshape(40, 4)
    for point in range(20):
        at = 4 + 6 * view[point]
        full[2 * point : 2 * point + 2, at : at + 6] = by_own[point]
    scale = np.sqrt(np.repeat(weights, 2))[:, None]
    wanted = np.linalg.lstsq(full * scale, -residuals.reshape(-1) * scale[:, 0], rcond=None)[0]
    shared, own = gauss_newton(system)
    assert np.concatenate([shared, own.ravel()]) == pytest.approx(wanted, abs=1e-8)
    inverse_full = np.linalg.inv((full * scale).T @ (full * scale))
    shared_covariance, own_covariance = covariances(system)
    assert shared_covariance == pytest.approx(inverse_full[:4, :4], abs=1e-8)
    assert own_covariance[1] == pytest.approx(inverse_full[10:16, 10:16], abs=1e-8)


@settings(max_examples=25)
@given(st.integers(0, 10_000), twists, twists, st.integers(3, 12))
def test_closed_forms_solve_exact_data(seed: int, x_twist: Array, z_twist: Array, n: int) -> None:
    x, z, mounts = motion(x_twist), motion(z_twist), random_poses(seed, n)
    seen = inverse(mounts @ x) @ z
    assert solve_ax_xb(mounts, seen) == pytest.approx(x, abs=1e-4)
    assert board_place(mounts, x, seen) == pytest.approx(z, abs=1e-6)
    found_x, found_z = solve_ax_zb(mounts, seen)
    assert found_x == pytest.approx(x, abs=1e-4)
    assert found_z == pytest.approx(z, abs=1e-4)


@given(st.integers(0, 10_000))
def test_turns_about_one_axis_alone_are_known_to_be_too_few(seed: int) -> None:
    axis = np.random.default_rng(seed).normal(size=3)
    axis /= np.linalg.norm(axis)
    found = turns(random_poses(seed, 8, axis))
    assert not found.enough
    assert turns(random_poses(seed, 8)).enough


def test_least_used_axis_is_named() -> None:
    turned = [Rotation.from_euler("xyz", (40 * a, 15 * b, 0), degrees=True)
              for a in (-1, 0, 1) for b in (-1, 0, 1)]  # fmt: skip
    poses = np.tile(np.eye(4), (9, 1, 1))
    poses[:, :3, :3] = [turn.as_matrix() for turn in turned]
    found = turns(poses)
    assert abs(found.axes[2][2]) > 0.9
    assert found.spread_deg[0] > 2 * found.spread_deg[1]
