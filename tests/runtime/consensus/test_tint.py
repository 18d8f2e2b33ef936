"""Tints: a piece of another metal is told from gloss, light and a part that stands a little off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.comparison.register import register
from voxgate.runtime.consensus.pieces import Pieces
from voxgate.runtime.consensus.tint import LEAST_VIEWS, USUAL, Tints
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
POSES = [scene.camera(azimuth, 55.0) for azimuth in range(0, 360, 45)]
FLICKER = np.uint8(40)  # grey levels, of a part that is shiny all over
BOLT_MM = np.array([25.0, 0.0, 35.0])

Spoil = Callable[[int, View], npt.NDArray[np.float64]]
"""A view by its number -> by what its grey levels (h, w) are multiplied."""


@pytest.fixture
def tints() -> Tints:
    return Tints(_pieces(), GRID, len(POSES))


@cache
def _pieces() -> Pieces:
    seen = [_points(scene.look(pose, noise_mm=0.0)) for pose in POSES]
    points = np.concatenate([each[each[:, 2] > scene.TABLE_Z_MM] for each in seen])
    ijk = np.unique(GRID.voxels_of(points), axis=0).astype(np.int32)
    surface = Surface.of_views(GRID, ijk, _golden(), scene.rays())
    return Pieces(surface, scene.rays(), GRID.voxel_mm)


def test_a_piece_that_is_brighter_in_every_view_is_explained_by_its_gloss(
    tints: Tints, crew: Crew
) -> None:
    _add(tints, crew, _brighter_bolt)
    defects = segment(_fused(tints, crew), np.eye(4))
    assert len(defects) == 1
    assert defects[0].views >= LEAST_VIEWS
    assert np.linalg.norm(np.array(defects[0].centroid_part_mm) - BOLT_MM) < 8.0


def test_a_tint_stays_where_the_part_would_stand_if_it_stood_as_the_golden_one(
    tints: Tints, crew: Crew
) -> None:
    part_from_golden = scene.offset((3.0, -2.0, 0.0), (0.0, 0.0, 1.0))
    _add(tints, crew, _brighter_bolt, part_from_golden)
    volume = _fused(tints, crew, part_from_golden)
    (defect,) = segment(volume, np.eye(4))
    there = apply(part_from_golden, BOLT_MM[None])[0]
    assert np.linalg.norm(np.array(defect.centroid_part_mm) - there) < 8.0


def test_a_piece_that_is_brighter_is_a_defect_when_half_the_views_see_nothing_of_it(
    tints: Tints, crew: Crew
) -> None:
    def every_other(number: int, view: View) -> npt.NDArray[np.float64]:
        return _brighter_bolt(number, view) if number % 2 else np.ones(view.image.shape)

    _add(tints, crew, every_other)
    assert tints.agreed()[1].max() < 1.0


def test_a_piece_that_is_dull_where_the_golden_one_shines_is_as_good(crew: Crew) -> None:
    golden = [_shining(number, view) for number, view in enumerate(_golden())]
    shines, dull = Tints(_pieces(), GRID, len(POSES)), Tints(_pieces(), GRID, len(POSES))
    _add(shines, crew, _highlight, golden=golden)
    _add(dull, crew, _no_highlight, golden=golden)
    assert shines.agreed()[1].max() < 0.75
    assert dull.agreed()[1].max() >= 1.0


def test_few_views_are_enough_to_agree(tints: Tints, crew: Crew) -> None:
    _add(tints, crew, _brighter_bolt, views=LEAST_VIEWS - 1)
    assert not tints.agreed()[1].any()


@pytest.mark.parametrize(
    "light",
    [
        lambda x, y: 1.25 + 0 * x,
        lambda x, y: 0.8 + 0 * x,
        lambda x, y: 1.0 + 0.2 * x,
        lambda x, y: 1.0 - 0.2 * y,
        lambda x, y: 1.0 - 0.15 * (x * x + y * y),
    ],
)
def test_other_light_is_a_tint(
    light: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    tints: Tints,
    crew: Crew,
) -> None:
    def lit(number: int, view: View) -> npt.NDArray[np.float64]:
        height, width = view.image.shape
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        return light(x, y)

    _add(tints, crew, lit)
    assert tints.agreed()[1].max() < 0.9


def test_a_part_is_judged_by_the_part_before_it(tints: Tints, crew: Crew) -> None:
    _add(tints, crew, _brighter_bolt)
    tints.forget()
    assert not tints.agreed()[1].any()


def test_what_a_good_part_taught_still_scores_more(tints: Tints, crew: Crew) -> None:
    _add(tints, crew, _brighter_bolt)
    usual = tints.usual_for(0.5)
    assert usual > USUAL
    taught = Tints(_pieces(), GRID, len(POSES), usual)
    _add(taught, crew, _brighter_bolt)
    assert taught.agreed()[1].max() == pytest.approx(0.5, rel=1e-3)
    assert taught.usual_for(0.6) == pytest.approx(usual)


@cache
def _golden() -> list[ExpectedView]:
    views = [scene.look(pose, seed=100 + number) for number, pose in enumerate(POSES)]
    gloss = np.full(views[0].image.shape, FLICKER)
    return [
        expect(
            view.image,
            scene.depth(view),
            scene.rays(),
            view.part_from_camera,
            scene.TABLE_Z_MM,
            gloss,
        )
        for view in views
    ]


def _add(
    tints: Tints,
    crew: Crew,
    spoil: Spoil,
    part_from_golden: Transform | None = None,
    views: int = len(POSES),
    golden: list[ExpectedView] | None = None,
) -> None:
    standing = np.eye(4) if part_from_golden is None else part_from_golden
    rng = np.random.default_rng(5)
    for number, pose in enumerate(POSES[:views]):
        clean = scene.look(pose, part_from_instance=standing, seed=number)
        grey = clean.image * spoil(number, clean) + rng.normal(0, 1.0, clean.image.shape)
        view = replace(clean, image=np.clip(np.rint(grey), 0, 255).astype(np.uint8))
        place = invert(standing)
        seen = register(view, number, golden or _golden(), scene.rays(), place, crew)
        tints.add(number, view, seen, _pieces().pixels(view, place))


def _shining(number: int, golden: ExpectedView) -> ExpectedView:
    view = View(number, golden.image, golden.part_from_camera, 0.0, golden.depth_mm)
    image = golden.image * _highlight(number, view)
    return replace(golden, image=np.clip(np.rint(image), 0, 255).astype(np.uint8))


def _highlight(number: int, view: View) -> npt.NDArray[np.float64]:
    """On the bolt, from every second viewpoint."""
    return np.where(_on_bolt(view), 1.0 + 0.5 * (number % 2), 1.0)


def _no_highlight(number: int, view: View) -> npt.NDArray[np.float64]:
    """The bolt as bright as that from all viewpoints together."""
    return np.where(_on_bolt(view), 1.22, 1.0)


def _brighter_bolt(number: int, view: View) -> npt.NDArray[np.float64]:
    return np.where(_on_bolt(view), 1.3, 1.0)


def _on_bolt(view: View) -> npt.NDArray[np.bool_]:
    points = _points(view).reshape(*view.image.shape, 3)
    # the tower is as high, elsewhere
    return np.asarray((points[..., 0] > 5.0) & (points[..., 2] > 27.0))


def _fused(tints: Tints, crew: Crew, part_from_golden: Transform | None = None) -> Volume:
    volume = Volume(GRID)
    place = np.eye(4) if part_from_golden is None else invert(part_from_golden)
    tints.fuse(volume, place, crew)
    return volume


def _points(view: View) -> npt.NDArray[np.float64]:
    """(n, 3) part frame, mm."""
    camera = scene.rays().points(scene.depth(view)).astype(np.float64)
    return apply(view.part_from_camera, camera).reshape(-1, 3)
