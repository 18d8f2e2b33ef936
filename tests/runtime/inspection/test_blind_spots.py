"""Blind spots: what a sensor cannot see is no doubt about it, what it should see is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.register import Asked, register
from voxgate.runtime.inspection.blind_spots import (
    Projector,
    blind_spots,
    find_projector,
    shadowed,
)
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import apply

POSES = [scene.camera(azimuth, 50.0) for azimuth in (30.0, 100.0, 200.0)]
TOWERS = (  # on a plate that takes their shadows
    ((-70.0, -50.0, 0.0), (70.0, 50.0, 10.0)),
    ((-40.0, -30.0, 10.0), (-20.0, -10.0, 60.0)),
    ((10.0, 5.0, 10.0), (30.0, 25.0, 50.0)),
    ((-30.0, 20.0, 10.0), (-10.0, 35.0, 40.0)),
)
PROJECTOR = Projector(95.0, 10.0)
Mask = npt.NDArray[np.bool_]


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew(2) as both:
        yield both


def _in_shadow(view: View, projector: Projector) -> Mask:
    """(h, w) ray-traced: whether a box stands between the projector and the point of a pixel."""
    camera_points = scene.rays().points(scene.depth(view)).astype(np.float64)
    points = apply(view.part_from_camera, camera_points)
    light = apply(view.part_from_camera, np.array([projector.x_mm, projector.y_mm, 0.0]))
    along = points - light
    shadow = np.zeros(points.shape[:2], np.bool_)
    for low, high in TOWERS:
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (np.asarray(low) - light) / along, (np.asarray(high) - light) / along
        enter, leave = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
        length = np.linalg.norm(along, axis=-1)
        shadow |= (enter < leave) & (leave > 0) & ((1 - enter) * length > 8.0)  # a step of its own
    return shadow


@cache
def _seen() -> tuple[View, ...]:
    """Views by a sensor whose light comes from PROJECTOR."""
    views = [scene.look(pose, TOWERS, seed=number) for number, pose in enumerate(POSES)]
    return tuple(_without(view, _in_shadow(view, PROJECTOR)) for view in views)


def _without(view: View, where: Mask) -> View:
    return replace(view, depth_mm=np.where(where, np.float32(np.nan), scene.depth(view)))


def _inside(mask: Mask) -> Mask:
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)


@pytest.mark.parametrize("view", range(len(POSES)))
def test_the_shadow_is_the_ray_traced_one(view: int) -> None:
    golden = scene.golden(POSES, TOWERS)
    traced = _in_shadow(scene.look(POSES[view], TOWERS), PROJECTOR)
    found = shadowed(golden[view], scene.rays(), PROJECTOR)
    known = golden[view].returned
    assert found[_inside(traced & known)].mean() > 0.95
    assert found[_inside(~traced & known)].mean() < 0.03


def test_the_projector_is_found_where_it_is() -> None:
    golden = scene.golden(POSES, TOWERS)
    seen = [(scene.depth(view), golden[n]) for n, view in enumerate(_seen())]
    found = find_projector(seen, scene.rays())
    assert found is not None
    assert np.hypot(found.x_mm - PROJECTOR.x_mm, found.y_mm - PROJECTOR.y_mm) < 40.0


def test_a_sensor_without_shadows_has_no_projector() -> None:
    golden = scene.golden(POSES, TOWERS)
    seen = [(scene.depth(scene.look(pose, TOWERS)), golden[n]) for n, pose in enumerate(POSES)]
    assert find_projector(seen, scene.rays()) is None


@pytest.mark.parametrize("number", range(len(POSES)))
def test_what_lies_in_the_projectors_shadow_is_no_blindness(crew: Crew, number: int) -> None:
    golden, view = scene.golden(POSES, TOWERS), _seen()[number]
    spots = blind_spots(golden[number], scene.rays(), PROJECTOR)
    plain = register(view, number, golden, scene.rays(), np.eye(4), crew)
    told = register(view, number, golden, scene.rays(), np.eye(4), crew, Asked(blind_spots=spots))
    assert told.blind < 0.02 < plain.blind
    assert len(told.lost_mm) < 0.2 * len(plain.lost_mm)


def test_a_sensor_that_is_covered_is_blind_all_the_same(crew: Crew) -> None:
    golden, view = scene.golden(POSES, TOWERS), _seen()[0]
    covered = np.zeros(view.image.shape, np.bool_)
    covered[:, 160:] = True
    view = _without(view, covered)
    seen = [(scene.depth(each), golden[n]) for n, each in enumerate((view, *_seen()[1:]))]
    spots = blind_spots(golden[0], scene.rays(), find_projector(seen, scene.rays()))
    found = register(view, 0, golden, scene.rays(), np.eye(4), crew, Asked(blind_spots=spots))
    assert found.blind > 0.2
