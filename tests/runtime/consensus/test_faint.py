"""Faint marks: a line that no view is sure of is found, grain, light and another place are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.register import register
from voxgate.runtime.consensus.faint import LEAST_VIEWS, USUAL, Faint
from voxgate.runtime.consensus.pieces import Pieces
from voxgate.runtime.nouns import Defect, View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
POSES = [scene.camera(azimuth, 60.0, 240.0) for azimuth in range(20, 380, 45)]
LINE_MM = np.array([43.0, 0.0, 25.0])  # its middle, on the body's upper face
LONG_MM = 24.0
LEAVES = 0.7  # of the grey
NOISE_GREY = 1.0

Points = npt.NDArray[np.float64]
Look = Callable[[int, Points], npt.NDArray[np.float64]]
"""A view's number, its points (h, w, 3) on a part in place -> what is left of the grey (h, w)."""


@pytest.fixture
def faint() -> Faint:
    return Faint(_pieces(), GRID, len(POSES))


def _line(number: int, points: Points) -> npt.NDArray[np.float64]:
    on = (np.abs(points[..., 0] - LINE_MM[0]) < 0.6) & (np.abs(points[..., 1]) < LONG_MM / 2)
    return np.where(on & (points[..., 2] > 23.0), LEAVES, 1.0)


def _grain(number: int, points: Points) -> npt.NDArray[np.float64]:
    """As wide as the line and as dark, all over."""
    x, y, z = np.moveaxis(points, -1, 0)
    waves = np.sin(1.7 * x + 0.9 * y) + np.sin(0.6 * x - 1.9 * y + 1) + np.sin(1.2 * z + y)
    return np.asarray(1.0 + (1 - LEAVES) * waves / 2.5)


def _as_it_is(number: int, points: Points) -> npt.NDArray[np.float64]:
    return np.ones(points.shape[:2])


def test_a_line_that_is_faint_in_all_views_is_explained_by_each(faint: Faint, crew: Crew) -> None:
    _add(faint, crew, _line)
    defects = segment(_fused(faint, crew), np.eye(4))
    assert defects
    for defect in defects:
        assert defect.views >= LEAST_VIEWS
        assert _beside_line_mm(defect, np.eye(4)) < 2.0


def test_a_brighter_line_is_no_mark(faint: Faint, crew: Crew) -> None:
    _add(faint, crew, lambda number, points: 2.0 - _line(number, points))
    assert segment(_fused(faint, crew), np.eye(4))


def test_a_mark_stays_where_the_part_would_stand_if_it_stood_as_the_golden_one(
    faint: Faint, crew: Crew
) -> None:
    standing = scene.offset((3.0, -2.0, 0.0), (0.0, 0.0, 1.0))
    _add(faint, crew, _line, standing)
    defects = segment(_fused(faint, crew, standing), np.eye(4))
    assert defects
    for defect in defects:
        assert _beside_line_mm(defect, standing) < 2.0


def test_what_half_the_views_see_is_a_mark(faint: Faint, crew: Crew) -> None:
    _add(
        faint,
        crew,
        lambda number, points: _line(number, points) if number % 2 else _as_it_is(number, points),
    )
    assert not faint.agreed()[1].any()


def test_few_views_are_enough_to_agree(faint: Faint, crew: Crew) -> None:
    _add(faint, crew, _line, views=LEAST_VIEWS - 1)
    assert not faint.agreed()[1].any()


@pytest.mark.parametrize("shift_mm", [(0.6, 0.0, 0.0), (0.3, -0.5, 0.0)])
def test_a_good_part_that_stands_a_little_off_is_marked(
    shift_mm: tuple[float, float, float], faint: Faint, crew: Crew
) -> None:
    _add(faint, crew, _as_it_is, scene.offset(shift_mm, (0.0, 0.0, 0.4)))
    assert not faint.agreed()[1].any()


def test_another_parts_grain_is_taken_for_marks(faint: Faint, crew: Crew) -> None:
    _add(faint, crew, _grain)
    said, score = faint.agreed()
    assert said.max() > USUAL, "or there is nothing to tell it from"
    assert score.max() < 1.0


@pytest.mark.parametrize("light", [0.8, 1.25])
def test_other_light_is_a_mark(light: float, faint: Faint, crew: Crew) -> None:
    _add(faint, crew, lambda number, points: light * _as_it_is(number, points))
    assert not faint.agreed()[1].any()


def test_a_part_is_judged_by_the_part_before_it(faint: Faint, crew: Crew) -> None:
    _add(faint, crew, _line)
    faint.forget()
    assert not faint.agreed()[1].any()


def test_what_a_good_part_taught_still_scores_more(faint: Faint, crew: Crew) -> None:
    _add(faint, crew, _line)
    usual = faint.usual_for(0.5)
    assert usual > USUAL
    taught = Faint(_pieces(), GRID, len(POSES), usual)
    _add(taught, crew, _line)
    assert not taught.agreed()[1].any()
    assert taught.usual_for(0.5) == pytest.approx(usual)


def _beside_line_mm(defect: Defect, part_from_golden: Transform) -> float:
    beside = apply(invert(part_from_golden), np.array(defect.centroid_part_mm)) - LINE_MM
    beside[1] = max(abs(beside[1]) - LONG_MM / 2, 0.0)
    return float(np.linalg.norm(beside))


@cache
def _pieces() -> Pieces:
    ijk = np.unique(GRID.voxels_of(np.concatenate([_on_part(pose) for pose in POSES])), axis=0)
    surface = Surface.of_views(GRID, ijk.astype(np.int32), _golden(), scene.rays())
    return Pieces(surface, scene.rays(), GRID.voxel_mm)


@cache
def _golden() -> list[ExpectedView]:
    return scene.golden(POSES)


def _on_part(pose: Transform) -> Points:
    points = _points(scene.look(pose, noise_mm=0.0)).reshape(-1, 3)
    return points[points[:, 2] > scene.TABLE_Z_MM]


def _points(view: View) -> Points:
    """(h, w, 3) part frame."""
    points = scene.rays().points(scene.depth(view)).astype(np.float64)
    return apply(view.part_from_camera, points)


def _add(
    faint: Faint,
    crew: Crew,
    look: Look,
    part_from_golden: Transform | None = None,
    views: int = len(POSES),
) -> None:
    standing = np.eye(4) if part_from_golden is None else part_from_golden
    golden, place = _golden(), invert(standing)
    rng = np.random.default_rng(5)
    for number, pose in enumerate(POSES[:views]):
        clean = scene.look(pose, part_from_instance=standing, seed=number)
        left = look(number, apply(place, _points(clean)))
        grey = clean.image * left + rng.normal(0, NOISE_GREY, clean.image.shape)
        view = replace(clean, image=np.clip(np.rint(grey), 0, 255).astype(np.uint8))
        seen = register(view, number, golden, scene.rays(), place, crew)
        faint.add(number, view, seen, _pieces().pixels(view, place))


def _fused(faint: Faint, crew: Crew, part_from_golden: Transform | None = None) -> Volume:
    volume = Volume(GRID)
    place = np.eye(4) if part_from_golden is None else invert(part_from_golden)
    faint.fuse(volume, place, crew)
    return volume
