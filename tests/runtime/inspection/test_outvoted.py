"""A defect of one view against the others that measured its place: outvoted is a doubt, no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.register import register
from voxgate.runtime.fusion.host import Described, Plane
from voxgate.runtime.inspection.witnesses import Heard, Hearing
from voxgate.runtime.nouns import GreyImage
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift, lift_points
from voxgate.runtime.volume.segment import said_alone, segment
from voxgate.runtime.volume.volume import Volume

POSES = [scene.camera(azimuth, 70.0) for azimuth in (30.0, 100.0, 170.0, 240.0, 310.0)]
GRID = GridSpec((-60.0, -40.0, 0.0), (60, 40, 35), 2.0)
STRIP: scene.Box = ((40.0, -20.0, 24.0), (42.0, 10.0, 26.0))  # of the body's upper face

Views = dict[int, Described]


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew(2) as both:
        yield both


@pytest.fixture(scope="module")
def views(crew: Crew) -> Views:
    golden = scene.golden(POSES)
    found = {}
    for number, pose in enumerate(POSES):
        view = scene.look(pose, seed=number)
        registered = register(view, number, golden, scene.rays(), np.eye(4), crew)
        found[number] = Described(number, view, {}, registered=registered)
    return found


def _strip(described: Described) -> npt.NDArray[np.bool_]:
    """The pixels of a view that measured the strip."""
    points = scene.rays().points(scene.depth(described.view)).astype(np.float64)
    pose = described.view.part_from_camera
    part = points @ pose[:3, :3].T + pose[:3, 3]
    low, high = np.array(STRIP)
    return np.asarray(((part >= low) & (part <= high)).all(axis=-1))


def _saying(views: Views, score: float, *accusers: int) -> Views:
    """Those views score the strip so by their geometry."""
    found = dict(views)
    for number in accusers:
        described = views[number]
        assert described.registered is not None
        geometry = np.where(_strip(described), np.float32(score), described.registered.geometry)
        registered = replace(described.registered, geometry=geometry)
        found[number] = replace(described, registered=registered)
    return found


def _fused(views: Views, crew: Crew) -> Volume:
    volume = Volume(GRID, table_z_mm=scene.TABLE_Z_MM)
    for number, described in views.items():
        assert described.registered is not None
        depth, pose = scene.depth(described.view), described.view.part_from_camera
        lift(volume, described.registered.geometry, depth, scene.rays(), pose, number, crew)
    return volume


def _heard(views: Views, volume: Volume) -> Heard:
    return Hearing(views, _silent, scene.rays()).hear(said_alone(volume, np.eye(4)), volume)


def _silent(described: Described, image: GreyImage) -> Plane:
    return np.zeros(image.shape, np.float32)


def _outvoted(views: Views, crew: Crew) -> int:
    volume = _fused(views, crew)
    assert len(segment(volume, np.eye(4))) == 1
    heard = _heard(views, volume)
    assert not heard.specks
    return len(heard.outvoted)


def test_a_long_defect_of_one_view_against_four_fails_the_part(views: Views, crew: Crew) -> None:
    assert _outvoted(_saying(views, 3.0, 2), crew) == 1


def test_a_defect_of_two_views_is_outvoted(views: Views, crew: Crew) -> None:
    assert _outvoted(_saying(views, 3.0, 2, 4), crew) == 0


def test_who_nearly_says_it_too_does_not_count_for_the_defect(views: Views, crew: Crew) -> None:
    assert _outvoted(_saying(_saying(views, 3.0, 2), 0.8, 1), crew) == 0


def test_who_measured_nothing_there_has_a_vote(views: Views, crew: Crew) -> None:
    blind = _saying(views, 3.0, 2)
    for number in (0, 1):
        described = blind[number]
        depth = np.where(_strip(described), np.float32(np.nan), scene.depth(described.view))
        blind[number] = replace(described, view=replace(described.view, depth_mm=depth))
    assert _outvoted(blind, crew) == 0


def test_a_part_that_fails_anyway_is_heard(views: Views, crew: Crew) -> None:
    volume = _fused(_saying(views, 3.0, 2), crew)
    assert _heard(views, volume).doubted
    sure, two = np.array([[20.0, 0.0, 24.5]], np.float32), (0, 1)
    for planned in two:
        lift_points(volume, sure, np.full(1, 2.0, np.float32), planned, crew)
    assert not _heard(views, volume).doubted
