"""A frame taken somewhere else must not count as the planned view."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.transforms import Transform


def _pose(x_mm: float, turn_deg: float) -> Transform:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("z", turn_deg, degrees=True).as_matrix()
    pose[0, 3] = x_mm
    return pose


PLAN = ViewPlan((_pose(0, 0), _pose(100, 30), _pose(100, 120)), 5.0, 2.0)


@pytest.mark.parametrize(
    ("x_mm", "turn_deg", "view"), [(0, 0, 0), (4.9, 1.9, 0), (98, 29, 1), (101, 121.5, 2)]
)
def test_within_both_tolerances_is_the_planned_view(
    x_mm: float, turn_deg: float, view: int
) -> None:
    assert PLAN.match(_pose(x_mm, turn_deg)) == view


@pytest.mark.parametrize(
    ("x_mm", "turn_deg", "said"),
    [
        (5.1, 0, "nearest planned view 0 is 5.1 mm and 0.00 deg away"),
        (0, 2.1, "nearest planned view 0 is 0.0 mm and 2.10 deg away"),
        (100, 75, "allowed are 5 mm and 2 deg"),
        (50, 15, "nearest planned view"),
    ],
)
def test_outside_one_tolerance_is_unplanned_and_says_how_far(
    x_mm: float, turn_deg: float, said: str
) -> None:
    note = PLAN.match(_pose(x_mm, turn_deg))
    assert isinstance(note, Note)
    assert note.reason is Reason.UNPLANNED_VIEW
    assert said in note.detail


def test_nearest_wins_only_when_it_is_nearest_in_both() -> None:
    plan = ViewPlan((_pose(0, 0), _pose(4, 1)), 5.0, 2.0)
    assert plan.match(_pose(1, 0.2)) == 0
    assert plan.match(_pose(3, 0.8)) == 1
    note = plan.match(_pose(1, 0.8))
    assert isinstance(note, Note)
    assert "planned views 0, 1 are all within tolerance" in note.detail


def test_two_equal_planned_views_never_match_by_order() -> None:
    plan = ViewPlan((_pose(0, 0), _pose(0, 0)), 5.0, 2.0)
    assert isinstance(plan.match(_pose(1, 0)), Note)


@given(st.floats(-200, 200), st.floats(-180, 180))
def test_a_match_is_always_within_tolerance(x_mm: float, turn_deg: float) -> None:
    found = PLAN.match(_pose(x_mm, turn_deg))
    if not isinstance(found, Note):
        assert abs(PLAN.views[found][0, 3] - x_mm) <= 5.0 + 1e-9
        turn = Rotation.from_matrix(PLAN.views[found][:3, :3]).inv() * Rotation.from_euler(
            "z", turn_deg, degrees=True
        )
        assert np.degrees(turn.magnitude()) <= 2.0 + 1e-6


@pytest.mark.parametrize(
    ("views", "distance_mm", "angle_deg"),
    [
        ((), 5.0, 2.0),
        ((np.diag([1.0, 1.0, -1.0, 1.0]),), 5.0, 2.0),
        ((np.eye(4),), 0.0, 2.0),
        ((np.eye(4),), float("nan"), 2.0),
        ((np.eye(4),), 5.0, 181.0),
    ],
)
def test_a_plan_that_could_match_nothing_or_anything_is_refused(
    views: tuple[Transform, ...], distance_mm: float, angle_deg: float
) -> None:
    with pytest.raises(ValueError, match=r"view plan|mirror|max_"):
        ViewPlan(views, distance_mm, angle_deg)
