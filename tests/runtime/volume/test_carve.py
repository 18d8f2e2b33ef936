"""Carve: what is gone is missing as a whole, and was looked at by the rays that passed through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.register import register
from voxgate.runtime.nouns import Defect, View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume import carve as carving
from voxgate.runtime.volume.carve import carve
from voxgate.runtime.volume.coverage import Coverage, Looked
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift, lift_points
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

pytestmark = pytest.mark.slow

POSES = [scene.camera(azimuth, 25.0 + 30.0 * (azimuth % 120 > 0)) for azimuth in range(0, 360, 60)]
PLATE: scene.Box = ((-50.0, -30.0, 0.0), (50.0, 30.0, 10.0))
POSTS: tuple[scene.Box, ...] = (
    ((-50.0, -10.0, 10.0), (-40.0, 10.0, 60.0)),
    ((40.0, -10.0, 10.0), (50.0, 10.0, 60.0)),
)
RUNG: scene.Box = ((-40.0, -5.0, 42.0), (40.0, 5.0, 52.0))
RACK = (PLATE, *POSTS, RUNG)
RUNG_MM3 = 80.0 * 10.0 * 10.0
BOSS: scene.Box = ((-20.0, -20.0, 10.0), (20.0, 20.0, 40.0))
BOSS_MM3 = 40.0 * 40.0 * 30.0
GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
OFF = scene.offset((0.4, -0.3, 0.0), (0.0, 0.0, 0.4))


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew(2) as both:
        carving.warm_up()
        yield both


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    defects: tuple[Defect, ...]
    seen: Coverage
    carved_mm: npt.NDArray[np.float64]  # (n, 3) part frame


def _inspected(
    crew: Crew,
    golden_boxes: tuple[scene.Box, ...],
    boxes: tuple[scene.Box, ...],
    standing: Transform | None = None,
    blind_to_table: tuple[int, ...] = (),
) -> Found:
    """As the inspector goes about it, with geometry alone."""
    standing = np.eye(4) if standing is None else standing
    golden = scene.golden(POSES, golden_boxes)
    volume = Volume(GRID, scene.TABLE_Z_MM)
    surface = Surface.of_views(GRID, _surface(golden_boxes), golden, scene.rays())
    looked = Looked(surface, GRID, scene.rays())
    carved, gone = [], []
    for number, pose in enumerate(POSES):
        view = scene.look(pose, boxes, standing, seed=number)
        if number in blind_to_table:
            view = _without_table(view)
        found = register(view, number, golden, scene.rays(), invert(standing), crew)
        with_body = carve(view, found, golden, scene.rays(), invert(standing), GRID)
        carved.append(with_body.vanished_mm[len(found.vanished_mm) :])
        gone.append(with_body.vanished_mm)
        looked.add(view, invert(standing))
        lift(volume, found.geometry, scene.depth(view), scene.rays(), pose, number, crew)
        lift_points(volume, with_body.vanished_mm, with_body.vanished_score, number, crew)
    return Found(
        segment(volume, np.eye(4)),
        looked.coverage(volume, invert(standing), np.concatenate(gone)),
        np.concatenate(carved).astype(np.float64),
    )


def _surface(boxes: tuple[scene.Box, ...]) -> npt.NDArray[np.int32]:
    """Voxels through which golden views measured surface above the table."""
    points = [
        apply(pose, scene.rays().points(scene.depth(scene.look(pose, boxes))).astype(np.float64))
        for pose in POSES
    ]
    all_points = np.concatenate([each.reshape(-1, 3) for each in points])
    on_part = all_points[all_points[:, 2] > scene.TABLE_Z_MM + 1.0]
    return np.unique(GRID.voxels_of(on_part), axis=0)


def _without_table(view: View) -> View:
    """As a sensor sees it whose range ends above the table."""
    heights = apply(view.part_from_camera, scene.rays().points(scene.depth(view)).astype(float))
    depth_mm = np.where(heights[..., 2] > 1.0, scene.depth(view), np.float32(np.nan))
    return replace(view, depth_mm=depth_mm)


def _beside(points_mm: npt.NDArray[np.float64], box: scene.Box) -> npt.NDArray[np.float64]:
    """(n,) how far each point lies outside the box, mm."""
    low, high = (np.asarray(corner) for corner in box)
    outside = np.maximum(np.maximum(low - points_mm, points_mm - high), 0)
    return np.asarray(np.linalg.norm(outside, axis=1), np.float64)


@pytest.mark.parametrize(
    "standing", [pytest.param(np.eye(4), marks=pytest.mark.nightly), OFF], ids=["in place", "off"]
)
def test_a_rung_that_is_gone_is_one_defect_of_its_volume(crew: Crew, standing: Transform) -> None:
    found = _inspected(crew, RACK, (PLATE, *POSTS), standing)
    largest = max(found.defects, key=lambda defect: defect.volume_mm3)
    assert RUNG_MM3 < largest.volume_mm3 < 2.0 * RUNG_MM3  # counted in whole voxels of 2 mm
    assert max(largest.size_mm) == pytest.approx(80.0, abs=6.0)
    assert np.allclose(largest.centroid_part_mm, (0, 0, 47.0), atol=2.5)


def test_the_back_of_what_is_gone_was_looked_at(crew: Crew) -> None:
    """The golden views of one side saw it, and have no return now; rays of the others passed it."""
    found = _inspected(crew, (*POSTS, RUNG), POSTS, blind_to_table=(0, 1, 2))
    assert found.seen.fraction > 0.995
    assert found.seen.hole_mm2 <= 16.0


def test_a_boss_that_is_gone_is_missing_as_a_body(crew: Crew) -> None:
    found = _inspected(crew, (PLATE, BOSS), (PLATE,))
    assert len(found.defects) == 1
    assert BOSS_MM3 < found.defects[0].volume_mm3 < 1.5 * BOSS_MM3


def test_space_that_the_golden_part_left_free_is_not_missing(crew: Crew) -> None:
    found = _inspected(crew, RACK, (PLATE, *POSTS))
    assert len(found.carved_mm) > 500
    assert np.quantile(_beside(found.carved_mm, RUNG), 0.99) <= 3.0  # a voxel and a half


def test_a_good_part_has_no_body_missing(crew: Crew) -> None:
    assert not len(_inspected(crew, RACK, RACK, OFF).carved_mm)
