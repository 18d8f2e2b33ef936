"""Zones: which point is where, and that 1.0 is the threshold in each of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.recipe.zones import Zones, read_zones, write_zones
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.volume import LOST_SCORE, Volume

GRID = GridSpec((0.0, 0.0, 0.0), (20, 20, 20), 1.0)


def _zones(thresholds: tuple[float, ...] = (2.0, 1.0, 4.0)) -> Zones:
    """rest, a box, and a patch of labelled surface that lies partly in the box."""
    return Zones(
        names=("rest", "seat", "label"),
        thresholds=np.array(thresholds),
        boxes=np.array([[[0.0, 0.0, 0.0], [5.0, 5.0, 5.0]]]),
        box_zone=np.array([1], np.int32),
        labels=np.array([[10.5, 10.5, 10.5], [4.5, 4.5, 4.5]]),
        label_zone=np.array([2, 2], np.int32),
        voxel_mm=1.0,
    )


def _volume(points: list[list[float]], scores: list[float]) -> Volume:
    volume = Volume(GRID)
    with Crew(1) as crew:
        lift_points(volume, np.array(points, np.float32), np.array(scores, np.float32), 0, crew)
    return volume


def test_points_fall_into_boxes_labels_and_the_rest() -> None:
    points = np.array([[1, 1, 1], [10.5, 11.5, 10.5], [15, 15, 15], [10.5, 14.5, 10.5]], float)
    assert _zones().zone_of(points).tolist() == [1, 2, 0, 0]


def test_where_zones_overlap_the_first_listed_counts() -> None:
    assert _zones().zone_of(np.array([[4.5, 4.5, 4.5]])).tolist() == [1]


def test_every_zone_is_judged_by_its_own_threshold() -> None:
    at = [[1.5, 1.5, 1.5], [10.5, 10.5, 10.5], [15.5, 15.5, 15.5]]
    volume = _volume(at, [3.0, 3.0, 3.0])
    _zones().rescale(volume, np.eye(4))
    voxels = volume.occupied()
    scores = dict(zip(map(tuple, voxels.ijk.tolist()), voxels.score.tolist(), strict=True))
    assert scores == {(1, 1, 1): 3.0, (10, 10, 10): 0.75, (15, 15, 15): 1.5}


def test_zones_move_with_the_part() -> None:
    volume = _volume([[8.5, 1.5, 1.5]], [3.0])
    reference_from_part = np.eye(4)
    reference_from_part[0, 3] = -7.0
    assert _zones().maxima(volume, reference_from_part) == {"rest": 0.0, "seat": 3.0, "label": 0.0}


def test_silent_depth_is_no_measurement() -> None:
    volume = _volume([[1.5, 1.5, 1.5], [2.5, 2.5, 2.5]], [LOST_SCORE, 0.25])
    assert _zones().maxima(volume, np.eye(4))["seat"] == 0.25


@given(factor=st.floats(0.6, 50.0), score=st.floats(0.015625, 60.0, width=32))
def test_one_threshold_for_all_divides_every_score(factor: float, score: float) -> None:
    volume = _volume([[15.5, 15.5, 15.5]], [score])
    Zones.whole(factor).rescale(volume, np.eye(4))
    assert volume.peak == pytest.approx(score / factor, rel=1e-5)


def test_zones_survive_their_file() -> None:
    with np.load(io.BytesIO(write_zones(_zones())), allow_pickle=False) as file:
        again = read_zones(dict(file), 1.0)
    assert again.names == _zones().names
    assert np.array_equal(again.thresholds, _zones().thresholds)
    assert again.zone_of(np.array([[1.0, 1, 1], [10, 10, 10]])).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("thresholds", "why"), [((1.0, 1.0, LOST_SCORE), "without a return"), ((1.0, 1.0), "3 zones")]
)
def test_thresholds_that_cannot_be_served_are_refused(
    thresholds: tuple[float, ...], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        _zones(thresholds)
