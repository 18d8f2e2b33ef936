"""What is fused while views come is another surface than that of all views at once, or is fused
only when the robot already waits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.tray_of_parts import Tray, regular, write
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.scenes.scene import Scene
from voxgate.runtime.transforms import apply, invert
from voxgate.runtime.trays import fused as fused_module
from voxgate.runtime.trays import surface as surface_module
from voxgate.runtime.trays.fused import Fused
from voxgate.runtime.trays.ground import Above, first_ground
from voxgate.runtime.trays.judge import TrayJudge
from voxgate.runtime.trays.kernels.fields import add_slopes, shift_onto
from voxgate.runtime.trays.placing import sample
from voxgate.runtime.trays.standing import stand
from voxgate.runtime.trays.surface import Grid, agreed, fuse, prepare
from voxgate.runtime.trays.tray import look

VOXEL_MM, REACH_MM = 1.5, 4.5


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("trays") / "tray"
    return open_scene(write(Tray(regular(3), views=8), folder))


@pytest.mark.slow
def test_what_was_fused_as_it_came_is_another_surface(scene: Scene) -> None:
    rays = scene.rays()
    below = first_ground(scene.views, rays, scene.table_z_mm)
    above = [Above.of(view, rays, below) for view in scene.views]
    views = [prepare(each.view, each.up, rays, below) for each in above]
    early, whole = (look(above[:count], 8, below).instances for count in (5, 8))
    with Crew(1) as crew:
        standing = stand(early, views[:5], rays, 0.0, crew)
        fused = Fused(standing, views[:5], rays, crew)
        for view in views[5:]:
            fused.add([view])
        now = standing.of(whole[::-1])  # in another order, too
        assert now is not None
        found = fused.surfaces(now)
        for surface, placed in zip(found, now.placed, strict=True):
            world = invert(placed.grid_from_world)
            voxels = _voxels(
                now.grid,
                [
                    apply(p.grid_from_world, sample(i, 20_000))
                    for i, p in zip(now.whole, now.placed, strict=True)
                ],
            )
            once = fuse(views, rays, now.grid, world, voxels, crew)
            np.testing.assert_allclose(surface.distance_mm, once.distance_mm, atol=2e-5)
            np.testing.assert_array_equal(surface.asked, once.asked)
            np.testing.assert_allclose(surface.weight, once.weight, atol=1e-4)


def _voxels(grid: Grid, clouds: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.int32]:
    """Within five voxels of a point along every axis, by brute force."""
    wanted = np.zeros(grid.shape, np.bool_)
    for cloud in clouds:
        for cell in np.unique(np.floor((cloud - grid.origin_mm) / grid.voxel_mm), axis=0).astype(
            int
        ):
            if ((cell >= 0) & (cell < grid.shape)).all():
                x, y, z = np.maximum(cell - 5, 0)
                wanted[x : cell[0] + 6, y : cell[1] + 6, z : cell[2] + 6] = True
    return np.argwhere(wanted).astype(np.int32)


@pytest.mark.slow
def test_the_robot_waits_until_all_views_are_fused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: list[int] = []
    plain = surface_module.add_views

    def counted(sums, views, rays, grid, world, voxels, crew) -> None:  # type: ignore[no-untyped-def]
        work.append(len(views) * len(voxels))
        plain(sums, views, rays, grid, world, voxels, crew)

    monkeypatch.setattr(fused_module, "add_views", counted)
    with Crew(1) as crew:
        judge = TrayJudge(scene.rays(), len(scene.views), scene.table_z_mm, crew)
        for view in scene.views[:-1]:
            judge.add(view)
        before = sum(work)
        judge.add(scene.views[-1])
        judge.finish()
    assert sum(work) - before < 0.25 * before  # one view of eight, and the few voxels that lack


def test_views_that_contradict_each_other_make_a_surface() -> None:
    rng = np.random.default_rng(2)
    grid = Grid(np.zeros(3), (6, 7, 8), VOXEL_MM)
    voxels = np.argwhere(rng.random(grid.shape) < 0.7).astype(np.int32)
    weight = rng.uniform(0, 3, len(voxels)) * (rng.random(len(voxels)) < 0.8)
    mean = rng.uniform(-REACH_MM, REACH_MM, len(voxels))
    square = mean**2 + rng.uniform(0, 1.2, len(voxels)) ** 2
    free = rng.integers(0, 6, len(voxels))
    rays = rng.integers(0, 5, (2, len(voxels)))
    sums = np.stack([mean * weight, square * weight, weight, free, *rays]).astype(np.float32)
    found = agreed(sums, voxels, grid, 8)
    at = tuple(voxels.T)
    passed = np.where(0.5 * free > weight, 0.5 * free, 0)
    every = weight + passed
    told = every > 0.4
    with np.errstate(all="ignore"):
        expected = (mean * weight + REACH_MM * passed) / every
        spread = np.sqrt((square * weight + REACH_MM**2 * passed) / every - expected**2)
    agree = told & (spread <= 0.45 * VOXEL_MM)
    np.testing.assert_allclose(found.average_mm[at], np.where(told, expected, np.nan), atol=1e-4)
    np.testing.assert_allclose(found.distance_mm[at], np.where(agree, expected, np.nan), atol=1e-4)
    np.testing.assert_allclose(found.weight[at], weight + 0.5 * free, atol=1e-5)
    share = np.where(rays.sum(axis=0) > 0, (rays[0] + 2) / (rays.sum(axis=0) + 4), np.nan)
    np.testing.assert_allclose(found.open_share[at], share, rtol=1e-6)
    assert np.isnan(np.delete(found.average_mm.ravel(), np.ravel_multi_index(at, grid.shape))).all()


def test_a_view_that_lies_off_is_said_to_lie_elsewhere() -> None:
    shape, centre, radius_mm = (30, 30, 30), np.array([21.0, 22.0, 23.0]), 12.0
    cells = np.moveaxis(np.indices(shape), 0, -1)
    distance = np.linalg.norm(VOXEL_MM * cells - centre, axis=-1) - radius_mm
    fields = np.empty((*shape, 4), np.float32)
    add_slopes(distance.astype(np.float32), VOXEL_MM, REACH_MM, fields)
    slopes = np.stack(np.gradient(distance, VOXEL_MM), axis=-1)
    np.testing.assert_allclose(fields[..., 1:], slopes, atol=1e-4)
    way = np.random.default_rng(1).normal(size=(400, 3))
    sphere = centre + radius_mm * way / np.linalg.norm(way, axis=1, keepdims=True)
    off = np.array([0.4, -0.7, 0.2])
    found = shift_onto(fields, (sphere + off) / VOXEL_MM, VOXEL_MM, 1.5, 8)
    assert found == pytest.approx(np.linalg.norm(off), abs=0.03)
