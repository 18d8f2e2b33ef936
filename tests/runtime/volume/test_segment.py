"""Segment: groups are 26-connected, measured in mm, and no view is counted twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.transforms import from_position_quaternion
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.segment import label, said_alone, segment
from voxgate.runtime.volume.volume import Volume

GRID = GridSpec((-10.0, -10.0, 0.0), (20, 20, 20), 1.0)


def _volume(*points: tuple[float, float, float, float], sparse: bool = False) -> Volume:
    """One point per view: (x, y, z, score)."""
    volume = Volume(GRID, sparse=sparse)
    with Crew(1) as crew:
        for view, point in enumerate(points):
            row = np.array([point], np.float32)
            lift_points(volume, row[:, :3], row[:, 3], view, crew)
    return volume


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    density=st.floats(0.0, 0.6),
)
def test_groups_are_those_of_a_labelled_box(
    seed: int, shape: tuple[int, int, int], density: float
) -> None:
    filled = np.random.default_rng(seed).random(shape) < density
    expected, expected_count = ndimage.label(filled, np.ones((3, 3, 3)))
    ijk = np.argwhere(filled).astype(np.int32)
    count, labels = label(ijk)
    assert count == expected_count
    # the same partition: each of our groups is exactly one of theirs
    pairs = set(zip(labels.tolist(), expected[filled].tolist(), strict=True))
    assert len(pairs) == count


def test_voxels_that_touch_at_a_corner_are_one_defect_and_a_gap_parts_them() -> None:
    joined = segment(_volume((0.5, 0.5, 0.5, 2.0), (1.5, 1.5, 1.5, 3.0)), np.eye(4))
    parted = segment(_volume((0.5, 0.5, 0.5, 2.0), (2.5, 0.5, 0.5, 3.0)), np.eye(4))
    assert [defect.voxels for defect in joined] == [2]
    assert [defect.peak_score for defect in parted] == [3.0, 2.0]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_a_defect_is_measured_in_mm_in_both_frames(sparse: bool) -> None:
    base_from_part = from_position_quaternion((100.0, 200.0, 300.0), (0.0, 0.0, 0.0, 1.0))
    volume = _volume(
        (0.5, 0.5, 0.5, 2.0), (1.5, 0.5, 0.5, 4.0), (2.5, 0.5, 0.5, 1.0), sparse=sparse
    )
    (defect,) = segment(volume, base_from_part)
    np.testing.assert_allclose(defect.centroid_part_mm, (1.5, 0.5, 0.5))
    np.testing.assert_allclose(defect.centroid_base_mm, (98.5, 199.5, 300.5))
    assert defect.size_mm == (3.0, 1.0, 1.0)
    assert (defect.volume_mm3, defect.voxels, defect.peak_score) == (3.0, 3, 4.0)


def test_only_views_at_or_above_the_threshold_support_a_defect_and_each_once() -> None:
    volume = _volume((0.5, 0.5, 0.5, 2.0), (0.5, 0.5, 0.5, 0.9), (5.5, 5.5, 5.5, 2.0))
    with Crew(1) as crew:
        twice = np.array([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5]], np.float32)
        lift_points(volume, twice, np.full(2, 1.5, np.float32), 7, crew)
    found = {defect.voxels: defect.views for defect in segment(volume, np.eye(4))}
    assert found == {2: 2, 1: 1}


def test_a_clean_volume_has_no_defects() -> None:
    assert segment(_volume((0.5, 0.5, 0.5, 0.99)), np.eye(4)) == ()


def test_a_threshold_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        segment(_volume((0.5, 0.5, 0.5, 1.0)), np.eye(4), threshold=0.0)


def test_what_two_views_say_of_neighbouring_voxels_is_taken_for_their_agreement() -> None:
    volume = _volume((0.5, 0.5, 0.5, 2.0), (1.5, 0.5, 0.5, 3.0))
    assert [defect.views for defect in segment(volume, np.eye(4))] == [2]
    alone = said_alone(volume, np.eye(4))
    assert [each.planned for each in alone] == [1, 0]
    assert [each.defect.centroid_part_mm for each in alone] == [(1.5, 0.5, 0.5), (0.5, 0.5, 0.5)]


def test_what_two_views_say_of_one_voxel_is_said_alone() -> None:
    assert not said_alone(_volume((0.5, 0.5, 0.5, 2.0), (0.5, 0.5, 0.5, 3.0)), np.eye(4))


def test_what_no_view_supports_is_one_views_word() -> None:
    volume = _volume((0.5, 0.5, 0.5, 2.0))
    volume.supports.clear()
    assert not said_alone(volume, np.eye(4))


def test_one_views_defects_differ_from_those_of_the_volume() -> None:
    volume = _volume((0.5, 0.5, 0.5, 2.0), (5.5, 0.5, 0.5, 3.0), (5.5, 1.5, 0.5, 0.9))
    place = from_position_quaternion((100.0, 200.0, 300.0), (0.0, 0.0, 0.0, 1.0))
    assert tuple(each.defect for each in said_alone(volume, place)) == segment(volume, place)
