"""A pose that was not sent, or lies outside what was sent, must never place a camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from voxgate.runtime.geometry.mounting import Mounting
from voxgate.runtime.nouns import Pose
from voxgate.runtime.sync.motion import interpolated, place
from voxgate.runtime.sync.poses import PoseBuffer, largest_gap_ns, pose_from_robot
from voxgate.runtime.transforms import angle_deg, distance_mm

MS = 1_000_000
UNTURNED = (1.0, 0.0, 0.0, 0.0)


def _pose(t_ms: float, x_mm: float = 0.0, turn_deg: float = 0.0) -> Pose:
    x, y, z, w = Rotation.from_euler("z", turn_deg, degrees=True).as_quat()
    t_ns = round(t_ms * MS)
    return pose_from_robot(t_ns, (x_mm, 0.0, 0.0), (w, x, y, z), t_ns + MS)


@pytest.mark.parametrize(
    ("p_mm", "q_wxyz", "said"),
    [
        ((0.0, float("nan"), 0.0), UNTURNED, "finite"),
        ((0.0, 0.0, 0.0), (float("inf"), 0.0, 0.0, 0.0), "finite"),
        ((0.0, 0.0, 0.0), (2.0, 0.0, 0.0, 0.0), "length 1, got 2.0000"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), "length 1, got 0.0000"),
        ((0.0, 0.0), UNTURNED, "expected 3 and 4 numbers"),
    ],
)
def test_a_pose_that_is_no_pose_is_refused(
    p_mm: tuple[float, ...], q_wxyz: tuple[float, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        pose_from_robot(0, p_mm, q_wxyz, 0)


def test_quaternions_are_w_first() -> None:
    pose = pose_from_robot(0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), 0)
    np.testing.assert_allclose(pose.base_from_flange[:3, :3], np.diag([-1.0, -1.0, 1.0]))


def test_duplicates_and_stragglers_are_dropped_and_counted() -> None:
    buffer = PoseBuffer()
    kept = [buffer.add(_pose(t_ms)) for t_ms in (0, 8, 8, 4, 16, 15.999999)]
    assert kept == [True, True, False, False, True, False]
    assert (len(buffer), buffer.dropped, buffer.oldest_ns) == (3, 3, 0)


def test_window_needs_a_pose_more_on_each_side() -> None:
    buffer = PoseBuffer()
    for t_ms in range(0, 80, 8):
        buffer.add(_pose(t_ms))
    stamps = [pose.t_robot_ns // MS for pose in buffer.around(20 * MS, 30 * MS) or ()]
    assert stamps == [8, 16, 24, 32, 40]
    assert buffer.around(7 * MS, 30 * MS) is None
    assert not buffer.reaches_back_to(7 * MS)
    assert buffer.around(20 * MS, 65 * MS) is None
    assert buffer.around(20 * MS, 64 * MS) is not None
    # an instant that meets a stamp exactly is bracketed by it
    assert [p.t_robot_ns // MS for p in buffer.around(16 * MS, 16 * MS) or ()] == [8, 16, 24]


def test_memory_is_bounded_by_time_and_by_number() -> None:
    buffer = PoseBuffer(keep_ns=1000 * MS, most=200)
    for t_ms in range(0, 80_000, 8):
        buffer.add(_pose(t_ms))
        assert len(buffer) <= 300
    assert (buffer.oldest_ns or 0) >= 76_000 * MS
    assert buffer.around(79_500 * MS, 79_510 * MS) is not None
    crowded = PoseBuffer(most=100)
    for t_ms in range(1000):
        crowded.add(_pose(t_ms))
    assert len(crowded) <= 130


def test_clear_forgets_so_that_a_stepped_clock_can_begin_again() -> None:
    buffer = PoseBuffer()
    buffer.add(_pose(1000))
    buffer.clear()
    assert buffer.oldest_ns is None
    assert buffer.add(_pose(1))


def test_largest_gap() -> None:
    assert largest_gap_ns((_pose(0), _pose(8), _pose(30), _pose(38))) == 22 * MS


def test_position_is_linear_and_rotation_spherical() -> None:
    poses = (_pose(0, 0, 0), _pose(10, 10, 40), _pose(20, 0, 40))
    found = interpolated(poses, (0, 2_500_000, 10 * MS, 15 * MS, 20 * MS))
    np.testing.assert_allclose(found[:, 0, 3], [0, 2.5, 10, 5, 0], atol=1e-9)
    turns = [angle_deg(np.eye(4), transform) for transform in found]
    np.testing.assert_allclose(turns, [0, 10, 40, 40, 40], atol=1e-9)


@pytest.mark.parametrize("t_ns", [-1, 20 * MS + 1])
def test_nothing_is_ever_extrapolated(t_ns: int) -> None:
    with pytest.raises(ValueError, match="never extrapolated"):
        interpolated((_pose(0), _pose(10), _pose(20)), (5 * MS, t_ns))


@given(st.floats(0, 40), st.floats(-90, 90), st.floats(0, 1))
def test_between_two_poses_the_place_lies_between_them(
    x_mm: float, turn_deg: float, share: float
) -> None:
    first, last = _pose(0), _pose(8, x_mm, turn_deg)
    (found,) = interpolated((first, last), (round(share * 8 * MS),))
    way = [distance_mm(found, pose.base_from_flange) for pose in (first, last)]
    turn = [angle_deg(found, pose.base_from_flange) for pose in (first, last)]
    assert sum(way) == pytest.approx(x_mm, abs=1e-6)
    assert sum(turn) == pytest.approx(abs(turn_deg), abs=1e-6)


def _line(speed_mm_s: float, spin_deg_s: float = 0.0) -> list[Pose]:
    return [_pose(t, speed_mm_s * t / 1000, spin_deg_s * t / 1000) for t in range(0, 80, 8)]


def _uncertainty_mm(poses: list[Pose], residual_ms: float, distance_mm: float = 0.0) -> float:
    flange_from_camera = np.eye(4)
    flange_from_camera[2, 3] = distance_mm
    placed = place(poses, 36 * MS, round(residual_ms * MS), Mounting(flange_from_camera, np.eye(4)))
    return placed.uncertainty_mm


def test_uncertainty_is_speed_times_residual() -> None:
    assert _uncertainty_mm(_line(0), 10) == pytest.approx(0, abs=1e-9)
    assert _uncertainty_mm(_line(250), 10) == pytest.approx(2.5, rel=1e-6)
    assert _uncertainty_mm(_line(250), 0) == pytest.approx(0, abs=1e-6)


def test_a_turn_counts_at_the_distance_of_the_part() -> None:
    spin_deg_s = 10.0
    turned_mm = np.radians(spin_deg_s * 0.01) * 400
    assert _uncertainty_mm(_line(0, spin_deg_s), 10, 400) == pytest.approx(turned_mm, rel=0.01)


def test_a_jerk_inside_the_window_is_not_hidden_by_its_ends() -> None:
    there_and_back = [_pose(t, 3.0 if t == 40 else 0.0) for t in range(0, 80, 8)]
    assert _uncertainty_mm(there_and_back, 12) > 2.9
