"""A rendered part: what the sensor cannot see is no hole, what it should have seen is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kits import scene
from voxgate.runtime.inspection.sight import Sight
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import apply, invert
from voxgate.runtime.volume.coverage import Coverage, Looked
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

VOXEL_MM = 2.0
GRID = GridSpec((-60.0, -40.0, -5.0), (60, 40, 38), VOXEL_MM)
# an upright plate; the sensor's light comes from the right and leaves a shadow behind it
BOXES: tuple[scene.Box, ...] = (
    ((-50.0, -30.0, 0.0), (50.0, 30.0, 10.0)),
    ((-5.0, -30.0, 10.0), (5.0, 30.0, 50.0)),
)
POSES = [scene.camera(azimuth, 60.0) for azimuth in (80.0, 90.0, 100.0)]
LIGHT_MM = (150.0, 0.0, 0.0)  # camera frame


def _shadowed(view: View) -> View:
    """By ray tracing against the upright: no return where it stands before the light."""
    points = apply(view.part_from_camera, scene.rays().points(scene.depth(view)).astype(np.float64))
    light = apply(view.part_from_camera, np.array(LIGHT_MM))
    along = points - light
    low, high = (np.array(corner) for corner in BOXES[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - light) / along, (high - light) / along
    enter, leave = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
    before = (enter < leave) & (leave > 0) & ((1 - enter) * np.linalg.norm(along, axis=-1) > 4.0)
    depth = np.where(before, np.nan, scene.depth(view)).astype(np.float32)
    return replace(view, depth_mm=depth)


@pytest.fixture(scope="module")
def surface() -> Surface:
    golden = scene.golden(POSES, BOXES)
    points = []
    for each in golden:
        camera = scene.rays().points(np.where(each.measured, each.depth_mm, np.nan))
        found = camera[each.measured].astype(np.float64)
        points.append(apply(each.part_from_camera, found))
    ijk, hits = np.unique(GRID.voxels_of(np.concatenate(points)), axis=0, return_counts=True)
    inside = ((ijk >= 0) & (ijk < GRID.shape)).all(axis=1) & (hits >= 3)
    return Surface.of_views(GRID, ijk[inside].astype(np.int32), golden, scene.rays())


def _covered(surface: Surface, views: list[View], knowing: bool) -> Coverage:
    sight = Sight(scene.golden(POSES, BOXES), scene.rays(), surface, GRID)
    sight.find(list(enumerate(views)))
    looked = Looked(surface, GRID, scene.rays())
    for view in views:
        looked.add(view, np.eye(4))
    none = np.zeros((0, 3), np.float32)
    return looked.coverage(Volume(GRID), np.eye(4), none, sight.pieces if knowing else None)


def test_what_lies_in_the_sensors_own_shadow_is_a_hole(surface: Surface) -> None:
    views = [_shadowed(scene.look(pose, BOXES, seed=n)) for n, pose in enumerate(POSES)]
    assert _covered(surface, views, knowing=False).hole_mm2 > 100.0
    found = _covered(surface, views, knowing=True)
    assert found.hole_mm2 < 13.0
    assert found.fraction > 0.99


def test_a_place_that_the_sensor_sees_well_may_be_a_hole_in_a_rendered_part(
    surface: Surface,
) -> None:
    place = np.array([30.0, 10.0, 10.0])
    views = []
    for number, pose in enumerate(POSES):
        view = _shadowed(scene.look(pose, BOXES, seed=number))
        points = apply(
            view.part_from_camera, scene.rays().points(scene.depth(view)).astype(np.float64)
        )
        dark = np.linalg.norm(points - place, axis=-1) < 5.0
        depth = np.where(dark, np.nan, scene.depth(view)).astype(np.float32)
        views.append(replace(view, depth_mm=depth))
    assert 40.0 < _covered(surface, views, knowing=True).hole_mm2 < 140.0


def test_a_part_is_judged_by_what_the_sensor_saw_of_the_part_before(surface: Surface) -> None:
    sight = Sight(scene.golden(POSES, BOXES), scene.rays(), surface, GRID)
    views = [_shadowed(scene.look(pose, BOXES, seed=n)) for n, pose in enumerate(POSES)]
    assert sight.pieces is None
    sight.find(list(enumerate(views)))
    assert sight.pieces is not None
    sight.forget()
    assert sight.pieces is None
    assert sight.blind_spots(0) is None


def test_the_light_comes_from_the_other_side() -> None:
    """The kit's own shadow falls where it should: left of the upright, seen from the camera."""
    view = _shadowed(scene.look(POSES[1], BOXES))
    gone = np.isnan(scene.depth(view)) & ~np.isnan(scene.depth(scene.look(POSES[1], BOXES)))
    columns = np.argwhere(gone)[:, 1]
    middle = apply(invert(POSES[1]), np.array([[0.0, 0.0, 30.0]]))
    assert columns.size > 200
    assert np.median(columns) < scene.rays().project(middle)[0, 0]
