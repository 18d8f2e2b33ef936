"""Raised: a collar of half a millimetre is found that every view takes for an edge's flicker."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import SPREAD_UNIT_MM, ExpectedView
from voxgate.runtime.comparison.register import TOLERANCE_MM, register
from voxgate.runtime.consensus.pieces import Pieces
from voxgate.runtime.consensus.raised import LEAST_VIEWS, Raised
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
POSES = [scene.camera(azimuth, 60.0, 240.0) for azimuth in range(20, 380, 36)]
COLLAR: scene.Box = ((14.4, -10.6, 25.0), (35.6, 10.6, 26.5))  # around the bolt's foot
FOOT_MM = np.array([25.0, 0.0, 25.5])
WITH_COLLAR = (*scene.PART, COLLAR)


def test_a_collar_that_each_view_takes_for_an_edge_is_part_of_a_good_part(crew: Crew) -> None:
    raised = _raised()
    loudest = _add(raised, crew, WITH_COLLAR)
    assert loudest < 1.0  # no view alone
    volume = Volume(GRID)
    raised.fuse(volume, np.eye(4), crew)
    defects = segment(volume, np.eye(4))
    assert defects
    for defect in defects:
        off = np.abs(np.array(defect.centroid_part_mm) - FOOT_MM)
        assert (off < 14.0).all()
        assert defect.views >= LEAST_VIEWS / 2


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (0.3, -0.5, 0.0)])
def test_a_good_part_that_stands_a_little_off_is_raised(
    shift_mm: tuple[float, float, float], crew: Crew
) -> None:
    raised = _raised()
    _add(raised, crew, scene.PART, scene.offset(shift_mm, (0.0, 0.0, 0.4)))
    assert raised.agreed()[1].max() < 0.5


def test_few_views_are_enough_to_agree(crew: Crew) -> None:
    raised = _raised()
    _add(raised, crew, WITH_COLLAR, views=LEAST_VIEWS - 1)
    assert not raised.agreed()[1].any()


def test_a_part_is_judged_by_the_part_before_it(crew: Crew) -> None:
    raised = _raised()
    _add(raised, crew, WITH_COLLAR)
    raised.forget()
    assert not raised.agreed()[1].any()


def test_what_good_parts_taught_still_scores_as_much(crew: Crew) -> None:
    plain, taught = _raised(), _raised(taught_mm=0.5)
    for each in (plain, taught):
        _add(each, crew, WITH_COLLAR)
    assert taught.agreed()[1].max() < 0.5 * plain.agreed()[1].max()


@cache
def _golden() -> list[ExpectedView]:
    return scene.golden(POSES)


def _raised(taught_mm: float = 0.0) -> Raised:
    golden = _golden()
    points = np.concatenate([_points(view)[view.measured] for view in golden])
    ijk = np.unique(GRID.voxels_of(points), axis=0).astype(np.int32)
    surface = Surface.of_views(GRID, ijk, golden, scene.rays())
    spread = np.full(golden[0].spread.shape, round(taught_mm / SPREAD_UNIT_MM), np.uint8)
    golden = [replace(view, spread=spread) for view in golden]
    return Raised(Pieces(surface, scene.rays(), GRID.voxel_mm), golden, TOLERANCE_MM)


def _add(
    raised: Raised,
    crew: Crew,
    boxes: tuple[scene.Box, ...],
    part_from_golden: Transform | None = None,
    views: int = len(POSES),
) -> float:
    """The most that one view says of it."""
    standing = np.eye(4) if part_from_golden is None else part_from_golden
    place, loudest = invert(standing), 0.0
    for number, pose in enumerate(POSES[:views]):
        view = scene.look(pose, boxes, standing, seed=number)
        seen = register(view, number, _golden(), scene.rays(), place, crew)
        raised.add(number, seen, raised.pieces.pixels(view, place))
        loudest = max(loudest, float(seen.geometry.max()))
    return loudest


def _points(view: ExpectedView) -> npt.NDArray[np.float64]:
    """(h, w, 3) part frame, mm."""
    camera = scene.rays().points(view.depth_mm).astype(np.float64)
    return apply(view.part_from_camera, camera)
