"""Descriptors do not depend on where the camera's grid cuts, and miss no neighbour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.fpfh import _Neighbours, _points, fpfh
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.sections.shapes import FpfhSection

pytestmark = pytest.mark.slow

SECTION = FpfhSection(step_px=4)


def view_depth(azimuth_deg: float = 30.0) -> npt.NDArray[np.float32]:
    return scene.depth(scene.look(scene.camera(azimuth_deg)))


@settings(max_examples=10, deadline=None)
@given(
    azimuth=st.integers(0, 359),
    step=st.integers(3, 6),
    most=st.integers(3, 120),
    radius=st.floats(3.0, 25.0),
)
def test_the_window_finds_what_a_tree_finds(
    azimuth: int, step: int, most: int, radius: float
) -> None:
    section = FpfhSection(
        step_px=step,
        feature_radius_mm=radius,
        feature_neighbours=most,
        normal_radius_mm=min(4.0, radius),
        normal_neighbours=min(30, most),
    )
    rays = scene.rays()
    x, y = rays.x[::step, ::step], rays.y[::step, ::step]
    points = _points(view_depth(azimuth)[::step, ::step], x, y)
    measured = points[..., 2] > 0
    number = np.cumsum(measured.reshape(-1)).reshape(measured.shape) - 1
    cloud = points[measured]
    with Crew(2) as crew:
        index_of = np.where(measured, number, -1).astype(np.int32)
        hood = _Neighbours(cloud, points, index_of, x, y, section, crew)
    distance, _ = cKDTree(cloud).query(cloud, k=most, distance_upper_bound=radius)
    wanted = np.isfinite(distance)
    assert np.abs(hood.counts[: len(cloud)] - wanted.sum(axis=1)).max() <= 1  # on the radius
    for point in range(0, len(cloud), 97):
        count = min(hood.counts[point], wanted[point].sum())
        ours = np.sort(np.sqrt(hood.distance2[point, : hood.counts[point]]))[:count]
        assert np.allclose(ours, distance[point, :count], atol=1e-3)


def test_threads_and_repetition_change_no_bit() -> None:
    depth_mm = view_depth()
    with Crew(1) as one, Crew(3) as three:
        alone = fpfh(depth_mm, scene.rays(), SECTION, one)
        assert np.array_equal(alone, fpfh(depth_mm, scene.rays(), SECTION, three))
        fpfh(view_depth(200.0), scene.rays(), SECTION, one)
        assert np.array_equal(alone, fpfh(depth_mm, scene.rays(), SECTION, one))


def test_each_of_the_three_histograms_adds_up() -> None:
    with Crew(1) as crew:
        found = fpfh(view_depth(), scene.rays(), SECTION, crew)
    full = found.reshape(3, 11, -1).sum(axis=1)
    described = np.isclose(full, 200.0, atol=0.1).all(axis=0)
    assert described.mean() > 0.2
    assert (full <= 200.1).all()


def test_a_pixel_without_return_has_no_descriptor_and_harms_no_other() -> None:
    depth_mm = view_depth()
    holed = depth_mm.copy()
    holed[100:120, 150:170] = np.nan
    with Crew(1) as crew:
        whole = fpfh(depth_mm, scene.rays(), SECTION, crew)
        found = fpfh(holed, scene.rays(), SECTION, crew)
    assert np.isfinite(found).all()
    assert not found[:, 25:30, 38:43].any()
    assert np.array_equal(found[:, :10], whole[:, :10])


def test_zero_and_nan_both_mean_no_return() -> None:
    depth_mm = view_depth()
    with Crew(1) as crew:
        as_nan = fpfh(depth_mm, scene.rays(), SECTION, crew)
        as_zero = fpfh(np.nan_to_num(depth_mm), scene.rays(), SECTION, crew)
    assert np.array_equal(as_nan, as_zero)


def test_an_edge_looks_different_from_a_plane() -> None:
    x, y = np.meshgrid(np.linspace(-0.2, 0.2, 60), np.linspace(-0.2, 0.2, 60))
    rays = Rays(x.astype(np.float32), y.astype(np.float32), np.zeros(9))
    flat = np.full((60, 60), 200.0, np.float32)
    bent = (200.0 / (1 - np.abs(rays.x) * 0.8)).astype(np.float32)
    section = FpfhSection()
    with Crew(1) as crew:
        plane, roof = (fpfh(d, rays, section, crew) for d in (flat, bent))
    assert np.abs(plane[:, 30, 30] - plane[:, 20, 40]).max() < 12
    assert np.abs(roof[:, 30, 30] - plane[:, 30, 30]).max() > 30


def test_another_pictures_size_is_refused() -> None:
    with Crew(1) as crew, pytest.raises(ValueError, match="one shape"):
        fpfh(np.ones((3, 3), np.float32), scene.rays(), SECTION, crew)
