"""The cube holds every measured point once, where the golden part stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kits import scene
from voxgate.runtime.fusion.voxels import VoxelGrid, section_around
from voxgate.runtime.recipe.manifest import VoxelSection
from voxgate.runtime.transforms import invert

SECTION = VoxelSection(origin_mm=(-70.0, -70.0, -70.0), cell_mm=140 / 64)


def filled(shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> VoxelGrid:
    """Three views of the scene's part, which stands `shift` off and is aligned back."""
    grid = VoxelGrid(SECTION)
    moved = scene.offset(shift, (0.0, 0.0, 0.0))
    for azimuth in (0.0, 120.0, 240.0):
        view = scene.look(scene.camera(azimuth), part_from_instance=moved)
        grid.add(view, scene.rays(), invert(moved), scene.TABLE_Z_MM)
    return grid


def test_the_surface_fills_the_cells_it_runs_through() -> None:
    occupied = filled().tensors()["occupied"][0, 0]
    k = int((25.0 - SECTION.origin_mm[2]) / SECTION.cell_mm)  # the body's top, away from the rest
    i, j = (int((p - SECTION.origin_mm[0]) / SECTION.cell_mm) for p in (5.0, 20.0))
    assert occupied[i, j, k - 1 : k + 2].any()
    assert not occupied[i, j, k + 4 :].any()
    assert not occupied[:, :, : int(69 / SECTION.cell_mm)].any()  # the table is not the part


def test_alignment_puts_a_moved_part_into_the_golden_cells() -> None:
    here, moved = (filled(s).tensors()["occupied"][0, 0] > 0 for s in ((0, 0, 0), (1.5, -1.0, 0)))
    assert (here & moved).sum() > 0.75 * max(here.sum(), moved.sum())


def test_grey_is_the_mean_of_the_points_in_a_cell() -> None:
    grid = filled()
    tensors = grid.tensors()
    empty = tensors["occupied"] == 0
    assert not tensors["grey"][empty].any()
    assert 0 < tensors["grey"][~empty].mean() < 255


def test_what_lies_beside_the_cube_is_counted() -> None:
    small = VoxelGrid(VoxelSection(origin_mm=(0.0, 0.0, 0.0), cell_mm=1.0, cells=8))
    small.add(scene.look(scene.camera(0.0)), scene.rays(), np.eye(4), scene.TABLE_Z_MM)
    assert small.outside > 1000
    small.clear()
    assert small.outside == 0
    assert not small.tensors()["occupied"].any()


def test_scores_come_back_to_the_points_of_their_cells() -> None:
    grid = VoxelGrid(SECTION)
    score = np.arange(64**3, dtype=np.float32).reshape(64, 64, 64)
    ijk = np.random.default_rng(0).integers(0, 64, (50, 3))
    centres = grid.spec.centres_mm(ijk.astype(np.int32))
    assert np.array_equal(grid.scores_at(score, centres), score[tuple(ijk.T)])
    assert grid.scores_at(score, np.array([[500.0, 0.0, 0.0]])) == 0


def test_the_cube_is_centred_with_the_longest_side() -> None:
    points = np.array([[0.0, 0, 0], [100, 20, 40]])
    section = section_around(points, cells=50, margin_cells=0)
    assert section.cell_mm == pytest.approx(2.0)
    assert section.origin_mm == pytest.approx((0.0, -40.0, -30.0))


def test_the_cube_has_a_margin_at_the_parts_ends() -> None:
    points = np.array([[0.0, 0, 0], [100, 20, 40]])
    section = section_around(points, cells=54)
    assert section.cell_mm == pytest.approx(2.0)
    assert section.origin_mm[0] == pytest.approx(-4.0)


def burr(across_px: int, beside_mm: float) -> VoxelGrid:
    """A patch of surface of so many pixels, so far beside a cube that holds the usual part; nearer
    to the camera, which looks down on it, than anything."""
    grid = filled()
    rays, view = scene.rays(), scene.look(scene.camera(0.0))
    height, width = rays.x.shape
    depth_mm = np.full((height, width), np.nan, np.float32)
    row, column = height // 2, width // 2
    depth_mm[row : row + across_px, column : column + across_px] = 100.0
    moved = np.eye(4)
    moved[0, 3] = 140.0 + beside_mm
    grid.add(replace(view, depth_mm=depth_mm), rays, moved, -1e4)
    return grid


def test_what_stands_beside_the_cube_is_no_flicker() -> None:
    assert filled().crowded_beside() == 0
    found = burr(12, 100.0)
    assert found.outside == 144
    assert found.crowded_beside() > 0
    assert burr(1, 100.0).crowded_beside() == 0
