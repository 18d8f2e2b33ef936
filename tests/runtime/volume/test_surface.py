"""The expected surface: each piece has the place, the normal and the area that golden views saw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.transforms import apply
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.surface import GRAZING, Surface

Points = npt.NDArray[np.float64]
GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
POSES = [scene.camera(azimuth, 55.0) for azimuth in (0.0, 120.0, 240.0)]


def test_no_piece_lies_or_faces_elsewhere_than_its_pixels_say() -> None:
    golden = scene.golden(POSES)
    seen = [_points(view)[view.measured] for view in golden]
    ijk = np.unique(GRID.voxels_of(np.concatenate(seen)), axis=0)[::-1].astype(np.int32)
    surface = Surface.of_views(GRID, ijk, golden, scene.rays())
    for number in range(0, len(ijk), 97):
        points, normals, areas = _in_voxel(golden, ijk[number])
        assert surface.points_mm[number] == pytest.approx(points.mean(axis=0), abs=1e-3)
        mean = normals.mean(axis=0)
        length = np.linalg.norm(mean) or 1.0  # beside an edge no plane is known
        assert surface.normals[number] == pytest.approx(mean / length, abs=1e-4)
        assert surface.area_mm2[number] == pytest.approx(np.mean(areas), rel=1e-3)


def test_a_piece_that_no_view_saw_keeps_its_voxels_middle() -> None:
    ijk = np.array([[0, 0, 35], [59, 39, 0]], np.int32)
    surface = Surface.of_views(GRID, ijk, scene.golden(POSES), scene.rays())
    np.testing.assert_array_equal(surface.points_mm, GRID.centres_mm(ijk))
    np.testing.assert_array_equal(surface.normals, 0.0)
    np.testing.assert_array_equal(surface.area_mm2, 4.0)


def _points(view: ExpectedView) -> Points:
    """(h, w, 3) part frame, mm."""
    camera = scene.rays().points(view.depth_mm).astype(np.float64)
    return apply(view.part_from_camera, camera)


def _in_voxel(
    golden: list[ExpectedView], voxel: npt.NDArray[np.int32]
) -> tuple[Points, Points, list[float]]:
    """Points and normals (n, 3) of one voxel, part frame, and the area in each view that saw it."""
    points, normals, areas = [], [], []
    for view in golden:
        held = (GRID.voxels_of(_points(view).reshape(-1, 3)) == voxel).all(axis=1)
        inside = view.measured & held.reshape(view.measured.shape)
        camera = scene.rays().points(view.depth_mm)[inside].astype(np.float64)
        plane = view.plane[inside, :3].astype(np.float64)
        facing = np.abs((plane * camera).sum(axis=1)) / np.linalg.norm(camera, axis=1)
        pixel = camera[:, 2] ** 2 / (scene.rays().lens[0] * scene.rays().lens[1])
        points.append(_points(view)[inside])
        normals.append(plane @ view.part_from_camera[:3, :3].T)
        if inside.any():
            areas.append(float((pixel / np.maximum(facing, GRAZING)).sum()))
    return np.concatenate(points), np.concatenate(normals), areas
