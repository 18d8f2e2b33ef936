"""A pose that is not a rigid transform never places a camera."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from voxgate.runtime.transforms import (
    UNIT_QUATERNION_TOLERANCE,
    Transform,
    angle_deg,
    apply,
    check_rigid,
    distance_mm,
    from_position_quaternion,
    invert,
    rigid,
)

part = st.floats(-1, 1)
length_mm = st.floats(-1e4, 1e4)
three = st.tuples(length_mm, length_mm, length_mm)


@st.composite
def quaternions(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    q = np.array([draw(part) for _ in range(4)])
    length = float(np.linalg.norm(q))
    assume(length > 0.1)
    return q / length


@st.composite
def transforms(draw: st.DrawFn) -> Transform:
    return from_position_quaternion(draw(three), draw(quaternions()).tolist())


@given(three, quaternions())
def test_a_quaternion_is_read_in_the_order_w_x_y_z(
    p_mm: tuple[float, float, float], q_wxyz: npt.NDArray[np.float64]
) -> None:
    expected = Rotation.from_quat(np.roll(q_wxyz, -1)).as_matrix()  # scipy's order is x y z w
    found = rigid(from_position_quaternion(p_mm, q_wxyz.tolist()))
    assert np.abs(found[:3, :3] - expected).max() < 1e-12
    assert found[:3, 3].tolist() == list(p_mm)


@given(transforms(), three)
def test_there_and_back_is_where_one_was(
    a_from_b: Transform, point: tuple[float, float, float]
) -> None:
    back = apply(invert(a_from_b), apply(a_from_b, np.array(point)))
    assert np.abs(back - point).max() < 1e-8


@given(transforms(), transforms())
def test_distance_and_angle_are_those_between_two_poses(a: Transform, b: Transform) -> None:
    between = invert(a) @ b
    assert distance_mm(a, b) == pytest.approx(np.linalg.norm(between[:3, 3]), abs=1e-8)
    expected = np.degrees(Rotation.from_matrix(between[:3, :3]).magnitude())
    assert angle_deg(a, b) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("angle", [1e-7, 1e-4, 90.0, 179.9999, 180.0])
def test_small_and_large_angles_keep_their_digits(angle: float) -> None:
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", angle, degrees=True).as_matrix()
    assert angle_deg(np.eye(4), turned) == pytest.approx(angle, rel=1e-6)


def _changed(row: int, column: int, value: float) -> Transform:
    matrix = np.eye(4)
    matrix[row, column] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "told"),
    [
        (np.eye(3), "4x4"),
        (_changed(0, 3, float("nan")), "finite"),
        (_changed(1, 1, float("inf")), "finite"),
        (_changed(0, 0, 1.01), "orthonormal"),
        (_changed(0, 1, 0.01), "orthonormal"),
        (_changed(2, 2, -1.0), "mirror"),
        (_changed(3, 0, 1e-9), "last row"),
        (np.zeros((4, 4)), "orthonormal"),
    ],
)
def test_what_is_not_rigid_is_refused_by_name(matrix: Transform, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        rigid(matrix)


@pytest.mark.parametrize(
    ("p_mm", "q_wxyz", "told"),
    [
        ((0.0, 0.0, float("nan")), (1.0, 0.0, 0.0, 0.0), "finite"),
        ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, float("inf")), "finite"),
        ((0.0, 0.0, 0.0), (1.0 + 2 * UNIT_QUATERNION_TOLERANCE, 0.0, 0.0, 0.0), "length 1"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), "length 1"),
        ((0.0, 0.0), (1.0, 0.0, 0.0, 0.0), "3 and 4 numbers"),
    ],
)
def test_what_is_no_pose_is_refused_by_name(
    p_mm: tuple[float, ...], q_wxyz: tuple[float, ...], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        from_position_quaternion(p_mm, q_wxyz)


def test_a_checked_transform_is_a_copy() -> None:
    matrix = np.eye(4)
    checked = rigid(matrix)
    matrix[0, 3] = 5.0
    assert checked[0, 3] == 0.0


def test_a_transform_that_was_changed_after_its_check_is_taken_for_checked() -> None:
    matrix = np.eye(4)
    check_rigid(matrix)
    matrix[0, 0] = 2.0
    for writeable in (True, False):
        matrix.flags.writeable = writeable
        with pytest.raises(ValueError, match="orthonormal"):
            check_rigid(matrix)


def test_a_place_that_cannot_change_is_checked_again_and_again() -> None:
    """Another one in between is checked all the same."""
    place = np.eye(4)
    place.flags.writeable = False
    check_rigid(place)
    with pytest.raises(ValueError, match="orthonormal"):
        check_rigid(np.zeros((4, 4)) + np.diag([0, 0, 0, 1.0]))
    check_rigid(place)
