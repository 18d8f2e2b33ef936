"""Coverage: what no view measured is named, however much was measured around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.coverage import Coverage, Looked
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
POSES = [scene.camera(azimuth, 55.0) for azimuth in (0.0, 90.0, 180.0, 270.0)]
NOWHERE = np.zeros((0, 3), np.float32)
OFF = scene.offset((0.6, -0.4, 0.1), (0.1, -0.2, 0.4))


@pytest.fixture(scope="module")
def surface() -> Surface:
    golden = scene.golden(POSES)
    seen = [_points(scene.look(pose)).reshape(-1, 3) for pose in POSES]
    points = np.concatenate(seen)
    ijk, hits = np.unique(
        GRID.voxels_of(points[points[:, 2] > scene.TABLE_Z_MM + 1.0]), axis=0, return_counts=True
    )
    return Surface.of_views(GRID, ijk[hits >= 3].astype(np.int32), golden, scene.rays())


def _points(view: View) -> npt.NDArray[np.float64]:
    """(h, w, 3) part frame, mm."""
    points = scene.rays().points(scene.depth(view)).astype(np.float64)
    return apply(view.part_from_camera, points)


def _covered(
    surface: Surface,
    views: list[View],
    reference_from_part: Transform | None = None,
    gone_mm: npt.NDArray[np.float32] = NOWHERE,
) -> Coverage:
    place = np.eye(4) if reference_from_part is None else reference_from_part
    looked = Looked(surface, GRID, scene.rays())
    for view in views:
        looked.add(view, place)
    return looked.coverage(Volume(GRID), place, gone_mm)


def _without(view: View, centre_mm: tuple[float, float, float], radius_mm: float) -> View:
    blind = np.linalg.norm(_points(view) - centre_mm, axis=-1) < radius_mm
    return replace(view, depth_mm=np.where(blind, np.float32(np.nan), scene.depth(view)))


@pytest.mark.parametrize("standing", [np.eye(4), OFF], ids=["in place", "off and tilted"])
def test_a_complete_scan_covers_everything(surface: Surface, standing: Transform) -> None:
    views = [scene.look(pose, part_from_instance=standing, seed=7) for pose in POSES]
    found = _covered(surface, views, invert(standing))
    assert found.fraction > 0.999
    assert found.hole_mm2 < 8.0  # two voxels at an edge


def test_a_grazing_face_of_black_rubber_is_not_seen_for_the_pixels_that_returned_nothing() -> None:
    pose = scene.camera(20.0, 16.0)  # along the upper faces, nearly
    view = scene.look(pose)
    points = _points(view).reshape(-1, 3)
    upper = points[(points[:, 2] > scene.TABLE_Z_MM + 1.0) & np.isfinite(points[:, 2])]
    ijk, hits = np.unique(GRID.voxels_of(upper), axis=0, return_counts=True)
    golden = scene.golden([pose])
    face = Surface.of_views(GRID, ijk[hits >= 3].astype(np.int32), golden, scene.rays())
    silent = np.random.default_rng(3).random(view.image.shape) < 0.1
    rubber = replace(view, depth_mm=np.where(silent, np.float32(np.nan), scene.depth(view)))
    usual, found = _covered(face, [view]), _covered(face, [rubber])
    assert found.unseen <= usual.unseen + 0.005 * len(face.ijk)


def test_a_scan_of_nothing_covers_nothing(surface: Surface) -> None:
    found = _covered(surface, [])
    assert (found.fraction, found.seen) == (0.0, 0)
    assert found.hole_mm2 > 0.8 * surface.area_mm2.sum()


@pytest.mark.parametrize("radius_mm", [4.0, 6.0, 8.0])
def test_what_no_view_measured_is_a_hole_of_its_own_size(
    surface: Surface, radius_mm: float
) -> None:
    on_top = (40.0, 15.0, 25.0)
    views = [_without(scene.look(pose, seed=7), on_top, radius_mm) for pose in POSES]
    found = _covered(surface, views)
    disc_mm2 = np.pi * radius_mm**2
    # a piece at the rim is seen when some of it is: a pixel and half a voxel all around, 2 mm
    assert np.pi * (radius_mm - 2.0) ** 2 < found.hole_mm2 < disc_mm2


def test_the_outside_of_a_thin_wall_is_not_seen_from_its_inside(surface: Surface) -> None:
    plate: scene.Box = ((-50.0, -1.0, 0.0), (50.0, 1.0, 40.0))
    poses = [scene.camera(90.0, 25.0), scene.camera(270.0, 25.0)]
    golden = scene.golden(poses, (plate,))
    seen = np.concatenate([_points(scene.look(pose, (plate,))).reshape(-1, 3) for pose in poses])
    wall = seen[(seen[:, 2] > 4.0) & (np.abs(seen[:, 1]) > 0.8)]
    ijk = np.unique(GRID.voxels_of(wall), axis=0)
    thin = Surface.of_views(GRID, ijk, golden, scene.rays())
    front = scene.look(poses[0], (plate,), seed=5)
    assert _covered(thin, [front]).fraction < 0.7
    assert _covered(thin, [front, scene.look(poses[1], (plate,), seed=6)]).fraction > 0.98


def test_a_dent_was_looked_at(surface: Surface) -> None:
    views = [
        replace(view, depth_mm=scene.depth(view) + np.float32(1.5))
        for view in (scene.look(pose, seed=7) for pose in POSES)
    ]
    assert _covered(surface, views).fraction > 0.99


def test_what_hides_behind_something_in_the_way_is_not_seen(surface: Surface) -> None:
    cover: scene.Box = ((-50.0, -30.0, 70.0), (50.0, 30.0, 72.0))
    views = [scene.look(pose, (*scene.PART, cover), seed=7) for pose in POSES]
    assert _covered(surface, views).hole_mm2 > 500.0


def test_vanished_surface_that_nobody_scores_was_not_looked_at(surface: Surface) -> None:
    without_bolt = [scene.look(pose, (scene.BODY, scene.TOWER), seed=7) for pose in POSES]
    scored = Looked(surface, GRID, scene.rays())
    unscored = Looked(surface, GRID, scene.rays(), through=False)
    for view in without_bolt:
        scored.add(view, np.eye(4))
        unscored.add(view, np.eye(4))
    assert scored.coverage(Volume(GRID), np.eye(4), NOWHERE).hole_mm2 < 8.0
    assert unscored.coverage(Volume(GRID), np.eye(4), NOWHERE).hole_mm2 > 300.0


def test_the_back_of_what_is_proven_gone_counts_as_seen(surface: Surface) -> None:
    on_top = (40.0, 15.0, 25.0)
    views = [_without(scene.look(pose, seed=7), on_top, 6.0) for pose in POSES]
    around = np.stack(np.meshgrid(np.arange(-6, 7), np.arange(-6, 7), [0]), axis=-1)
    gone = np.asarray(on_top) + around.reshape(-1, 3)
    assert _covered(surface, views, gone_mm=gone.astype(np.float32)).hole_mm2 < 8.0


def test_a_hole_that_touches_a_defect_is_the_defects() -> None:
    ijk = np.array([[20, 20, 10], [21, 20, 10], [40, 20, 10]], np.int32)
    looked = Looked(Surface.of_voxels(GRID, ijk), GRID, scene.rays())
    volume = Volume(GRID, sparse=False)
    assert looked.coverage(volume, np.eye(4), NOWHERE).hole_mm2 == 8.0
    at_mm = GRID.centres_mm(ijk[:1])
    with Crew(1) as crew:
        lift_points(volume, at_mm.astype(np.float32), np.array([2.0], np.float32), 0, crew)
    assert looked.coverage(volume, np.eye(4), NOWHERE).hole_mm2 == 4.0


def test_expecting_nothing_is_refused() -> None:
    nothing = Surface.of_voxels(GRID, np.zeros((0, 3), np.int32))
    with pytest.raises(ValueError, match="at least one voxel"):
        Looked(nothing, GRID, scene.rays()).coverage(Volume(GRID), np.eye(4), NOWHERE)


def test_the_pieces_of_a_face_are_together_as_large_as_the_face(surface: Surface) -> None:
    top = np.abs(surface.points_mm[:, 2] - 60.0) < 0.5  # of the tower, 30 x 40 mm
    assert surface.area_mm2[top].sum() == pytest.approx(30 * 40, rel=0.2)
    assert np.median(np.abs(surface.normals[top, 2])) > 0.95
