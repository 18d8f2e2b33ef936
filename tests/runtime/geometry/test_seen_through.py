"""Seen through: a view that stands elsewhere than it says is told by all others."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.kits import scene
from voxgate.runtime.geometry.seen_through import SEEN_THROUGH_MAX, seen_through
from voxgate.runtime.nouns import View

POSES = [scene.camera(azimuth, 45.0) for azimuth in range(0, 360, 45)]


@cache
def _views() -> tuple[View, ...]:
    return tuple(scene.look(pose, seed=number) for number, pose in enumerate(POSES))


def _exchanged(one: int, other: int) -> list[View]:
    views = list(_views())
    views[one] = replace(views[one], part_from_camera=POSES[other])
    views[other] = replace(views[other], part_from_camera=POSES[one])
    return views


def test_views_that_stand_right_hide_surface_and_look_through_none() -> None:
    assert seen_through(_views(), scene.rays()).max() < SEEN_THROUGH_MAX / 2


@pytest.mark.parametrize(("one", "other"), [(0, 1), (2, 6)])
def test_exchanged_views_are_told_from_the_others(one: int, other: int) -> None:
    share = seen_through(_exchanged(one, other), scene.rays())
    assert np.flatnonzero(share > SEEN_THROUGH_MAX).tolist() == [one, other]


def test_a_view_that_shares_nothing_is_not_vouched_for() -> None:
    first, *others = _views()
    nowhere = replace(first, depth_mm=np.full(first.image.shape, np.nan, np.float32))
    share = seen_through([nowhere, *others], scene.rays())
    assert np.isnan(share[0])
    assert np.isfinite(share[1:]).all()
