"""Frustum: a view that shows one of some points is never left out, one that cannot is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits import scene
from voxgate.runtime.geometry.projected import Box, Frustum, project_into

HIDDEN_MM = 5.0  # behind all that was met: nothing is said of such a point


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000), spread_mm=st.floats(1.0, 400.0), farthest_mm=st.floats(100, 900)
)
def test_a_view_that_shows_a_point_is_left_out(
    seed: int, spread_mm: float, farthest_mm: float
) -> None:
    rng = np.random.default_rng(seed)
    pose, rays = scene.camera(rng.uniform(0, 360), 55.0), scene.rays()
    depth = np.full(rays.x.shape, farthest_mm, np.float32)
    points = rng.uniform(-600, 600, 3) + rng.uniform(-spread_mm, spread_mm, (50, 3))
    at = project_into(points, pose, rays)
    # far beside a picture the lens model folds over, and says it shows what lies there
    across = at.camera_mm[:, 0] / at.depth_mm - rays.x[at.rows, at.columns]
    seen = at.inside & (np.abs(across) < 2 / rays.lens[0])
    shown = bool((seen & (at.depth_mm < farthest_mm + HIDDEN_MM)).any())
    assert not (shown and Frustum.of(depth, pose, rays).misses(Box.around(points)))


def test_a_view_of_another_part_of_a_row_is_asked_all_the_same() -> None:
    rays = scene.rays()
    points = np.random.default_rng(0).uniform(-30, 30, (100, 3))
    beside = scene.camera(30.0, 55.0)
    depth = np.full(rays.x.shape, 600.0, np.float32)
    assert not Frustum.of(depth, beside, rays).misses(Box.around(points))
    beside[0, 3] += 2000.0
    assert Frustum.of(depth, beside, rays).misses(Box.around(points))


def test_a_view_is_asked_of_what_lies_behind_all_that_it_met() -> None:
    rays, pose = scene.rays(), scene.camera(30.0, 55.0)
    behind = pose[:3, 3] + pose[:3, 2] * 500.0 + np.random.default_rng(0).uniform(-5, 5, (9, 3))
    near = np.full(rays.x.shape, 400.0, np.float32)
    assert Frustum.of(near, pose, rays).misses(Box.around(behind))
    near[0, 0] = 520.0
    assert not Frustum.of(near, pose, rays).misses(Box.around(behind))
