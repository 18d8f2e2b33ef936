"""Where the golden part gave no return its picture is still held against the next part's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.export.golden.unreturned import Unreturned, find_unreturned
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import apply

RING = [scene.camera(azimuth) for azimuth in range(0, 360, 60)]
ON_TOP = (20.0, -22.0, 25.0)  # of the body, seen from all sides
# a frame that stands above the table: one looks through its middle
FRAME: tuple[scene.Box, ...] = (
    ((-50.0, -40.0, 20.0), (50.0, -15.0, 25.0)),
    ((-50.0, 15.0, 20.0), (50.0, 40.0, 25.0)),
    ((-50.0, -40.0, 20.0), (-15.0, 40.0, 25.0)),
    ((15.0, -40.0, 20.0), (50.0, 40.0, 25.0)),
)

Mask = npt.NDArray[np.bool_]


def _ring(boxes: tuple[scene.Box, ...] = scene.PART) -> list[View]:
    return [scene.look(pose, boxes, seed=number) for number, pose in enumerate(RING)]


def _near(view: View, place_mm: Sequence[float], radius_mm: float) -> Mask:
    points = apply(view.part_from_camera, scene.rays().points(scene.depth(view)).astype(np.float64))
    return np.asarray(np.linalg.norm(points - place_mm, axis=-1) < radius_mm)


def _silenced(view: View, where: Mask) -> View:
    return replace(view, depth_mm=np.where(where, np.nan, scene.depth(view)).astype(np.float32))


def _found(views: Sequence[View]) -> Unreturned:
    return find_unreturned(views, scene.rays(), scene.TABLE_Z_MM)


def test_what_one_view_did_not_measure_is_compared_nowhere() -> None:
    views = _ring()
    dark = _near(views[0], ON_TOP, 6.0)
    found = _found([_silenced(views[0], dark), *views[1:]])
    assert dark.sum() > 40
    off_mm = np.abs(found.depth_mm[0][dark] - scene.depth(views[0])[dark])
    assert np.isfinite(off_mm).all()
    assert np.median(off_mm) < 0.3
    assert not found.bridged[0].any()


def test_what_no_view_measured_is_compared_nowhere() -> None:
    views = _ring()
    dark = [_near(view, ON_TOP, 6.0) for view in views]
    found = _found([_silenced(view, where) for view, where in zip(views, dark, strict=True)])
    for view, where, depth_mm, bridged in zip(
        views, dark, found.depth_mm, found.bridged, strict=True
    ):
        shown = where & ~np.isnan(scene.depth(view))
        assert np.isfinite(depth_mm[shown]).mean() > 0.95
        assert bridged[shown].mean() > 0.8
    for number in (0, 1, 4, 5):  # no edge of the bolt lies in front
        off_mm = np.abs(found.depth_mm[number] - scene.depth(views[number]))[dark[number]]
        assert np.median(off_mm) < 3.0


def test_the_background_seen_through_a_hole_is_taken_for_the_part() -> None:
    views = _ring(FRAME)
    under = _near(views[0], (0.0, 0.0, 0.0), 18.0)  # the table in the frame's middle
    found = _found([_silenced(views[0], under), *views[1:]])
    assert under.sum() > 50
    assert np.isnan(found.depth_mm[0][under]).mean() > 0.8  # the frame's own inside is seen, too


def test_the_table_beside_the_part_is_taken_for_the_part() -> None:
    views = _ring()
    dark = _near(views[0], (0.0, 60.0, 0.0), 15.0)
    found = _found([_silenced(views[0], dark), *views[1:]])
    assert np.isfinite(found.depth_mm[0][dark]).mean() < 0.1


@pytest.mark.parametrize("view", range(2))
def test_a_complete_view_has_nothing_to_fill(view: int) -> None:
    """Beyond the sensor's range there is no part."""
    views = _ring()
    measured = ~np.isnan(scene.depth(views[view]))
    assert np.isnan(_found(views).depth_mm[view][measured]).all()
