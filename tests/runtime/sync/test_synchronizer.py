"""A view's place is proven, or the frame is rejected by name: also on a moving robot."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits.moving_robot import CALIBRATION, MS, Cell, S, in_order
from tests.kits.repository import ROOT
from voxgate.runtime.nouns import Frame, Pose, Reason, View
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.sync.clock import DelayModel, Promise
from voxgate.runtime.sync.device_line import MAX_PENDING, MAX_RESULTS
from voxgate.runtime.sync.rejection import Rejection
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.transforms import angle_deg, distance_mm

EXAMPLES = ROOT / "examples" / "bracket"
GAP_NS = 20 * MS
LIMIT_MM = 1.0  # half a voxel of 2 mm
# a quiet network, as between two machines on one switch
QUIET = DelayModel(promises=(Promise(1, 20 * MS), Promise(8, 4 * MS), Promise(50, 1 * MS)))


def _synchronizer(limit_mm: float = LIMIT_MM, delay: DelayModel | None = None) -> Synchronizer:
    return Synchronizer(CALIBRATION, GAP_NS, limit_mm, camera_delay=delay, robot_delay=delay)


def _run(
    events: Iterable[Pose | Frame], synchronizer: Synchronizer | None = None
) -> list[View | Rejection]:
    synchronizer = synchronizer or _synchronizer()
    results: list[View | Rejection] = []
    for event in events:
        if isinstance(event, Pose):
            synchronizer.add_pose(event)
        else:
            synchronizer.add_frame(event)
        results += synchronizer.take(event.t_arrival_ns)
    return results + synchronizer.close()


def _reasons(results: list[View | Rejection]) -> dict[int, Reason]:
    return {r.frame_id: r.note.reason for r in results if isinstance(r, Rejection)}


def _views(results: list[View | Rejection]) -> dict[int, View]:
    return {r.frame_id: r for r in results if isinstance(r, View)}


# --- what a view claims holds -------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    speed_mm_s=st.floats(5, 400),
    limit_mm=st.floats(0.1, 20),
    quiet=st.booleans(),
)
def test_on_a_moving_robot_the_error_stays_inside_the_claimed_bound(
    seed: int, speed_mm_s: float, limit_mm: float, quiet: bool
) -> None:
    cell = Cell(seed, speed_mm_s, duration_ms=2000)
    synchronizer = _synchronizer(limit_mm, QUIET if quiet else None)
    results = _run(in_order(cell.poses(), cell.frames()), synchronizer)
    assert sorted(result.frame_id for result in results) == list(range(len(cell.exposures_ns())))
    assert set(_reasons(results).values()) <= {Reason.POSE_UNCERTAIN}
    for frame_id, view in _views(results).items():
        assert view.uncertainty_mm <= limit_mm
        assert cell.error_mm(frame_id, view.part_from_camera) <= view.uncertainty_mm + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    "ppm",
    [
        *(500, -20_000),
        *(
            pytest.param(ppm, marks=pytest.mark.nightly)
            for ppm in (-500, 1000, -1000, 5000, -5000, 20_000)
        ),
    ],
)
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in (1, 2))])
def test_a_slewed_host_clock_spoils_what_is_claimed_of_time(ppm: int, seed: int) -> None:
    """Arrivals are stamped by a clock that nobody slews; where they were, the claim still holds."""
    cell = Cell(seed, speed_mm_s=50, duration_ms=30_000, period_ms=500)
    slewed = [
        replace(event, t_arrival_ns=_slewed_ns(event.t_arrival_ns, ppm))
        for event in in_order(cell.poses(), cell.frames())
    ]
    views = _views(_run(slewed, _synchronizer(100.0)))
    assert len(views) >= 30
    for frame_id, view in views.items():
        assert cell.error_mm(frame_id, view.part_from_camera) <= view.uncertainty_mm + 1e-6


def _slewed_ns(t_ns: int, ppm: int) -> int:
    """For ten seconds in the middle the clock runs at another rate."""
    gone_ns = min(max(t_ns - 11 * S, 0), 10 * S)
    return t_ns + gone_ns * ppm // 1_000_000


@pytest.mark.parametrize(("speed_mm_s", "least"), [(30, 0.9), (80, 0.7)])
def test_a_slowly_moving_robot_is_accepted_once_the_clocks_are_known(
    speed_mm_s: float, least: float
) -> None:
    accepted = total = 0
    for seed in range(6):
        cell = Cell(seed, speed_mm_s, duration_ms=4000)
        results = _run(in_order(cell.poses(), cell.frames()), _synchronizer(LIMIT_MM, QUIET))
        known = [result for result in results if result.frame_id >= 12]
        accepted += len(_views(known))
        total += len(known)
    assert accepted >= least * total


def test_a_fast_robot_is_refused_by_name_and_told_what_to_do() -> None:
    cell = Cell(1, speed_mm_s=2000)
    results = _run(in_order(cell.poses(), cell.frames()))
    assert set(_reasons(results).values()) == {Reason.POSE_UNCERTAIN}
    assert len(_reasons(results)) == len(cell.exposures_ns())
    detail = next(result.note.detail for result in results if isinstance(result, Rejection))
    assert detail.startswith("frame 0: may be off by")
    assert "slow down or stop to expose" in detail


@pytest.mark.parametrize("name", ["golden", "good", "bad"])
def test_recorded_views_are_where_the_camera_was(name: str) -> None:
    scan = open_scan(EXAMPLES / name)
    truth = json.loads((EXAMPLES / name / "truth.json").read_text())["T_part_cam"]
    results = views_of(scan, GAP_NS, LIMIT_MM)
    assert len(results) == len(truth) == 12
    for view, true in zip(results, np.array(truth), strict=True):
        assert isinstance(view, View), view
        # the robot's own repeatability, 0.03 mm and 0.01 degrees (one sigma), is not time's
        assert distance_mm(view.part_from_camera, true) < view.uncertainty_mm + 0.12
        assert angle_deg(view.part_from_camera, true) < 0.04
        assert view.uncertainty_mm < 0.1


def test_replay_gives_the_same_views_again() -> None:
    first, again = (views_of(open_scan(EXAMPLES / "good"), GAP_NS, LIMIT_MM) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert isinstance(one, View)
        assert isinstance(other, View)
        assert one.frame_id == other.frame_id
        assert one.uncertainty_mm == other.uncertainty_mm
        np.testing.assert_array_equal(one.part_from_camera, other.part_from_camera)
        np.testing.assert_array_equal(one.image, other.image)


def test_when_results_are_taken_does_not_change_them() -> None:
    cell = Cell(2, speed_mm_s=30)
    poses, frames = cell.poses(), cell.frames()
    polled = _views(_run(in_order(poses, frames)))
    late = _synchronizer()
    for event in in_order(poses, frames):
        if isinstance(event, Pose):
            late.add_pose(event)
        else:
            late.add_frame(event)
    collected = _views(late.take(poses[-1].t_arrival_ns))
    assert polled.keys() == collected.keys()
    for frame_id, view in polled.items():
        np.testing.assert_array_equal(view.part_from_camera, collected[frame_id].part_from_camera)


# --- what cannot be proven is rejected by name ----------------------------------------------------


def _around(cell: Cell, keep: tuple[int, int]) -> list[Pose]:
    """The stream without the poses sent within these ms."""
    return [pose for index, pose in enumerate(cell.poses()) if not keep[0] <= index * 8 < keep[1]]


@pytest.mark.parametrize(
    ("missing_ms", "reasons"),
    [
        ((0, 10_000), {0: Reason.POSE_MISSING, 1: Reason.POSE_MISSING, 2: Reason.POSE_MISSING}),
        ((0, 700), {0: Reason.POSE_MISSING}),
        ((1300, 10_000), {2: Reason.POSE_MISSING}),
        ((990, 1020), {1: Reason.POSE_GAP}),
        ((1000, 1008), {}),
    ],
)
def test_poses_that_are_missing_around_an_exposure(
    missing_ms: tuple[int, int], reasons: dict[int, Reason]
) -> None:
    cell = Cell(3, duration_ms=2000, first_ms=600, period_ms=400)
    results = _run(in_order(_around(cell, missing_ms), cell.frames()))
    assert _reasons(results) == reasons
    assert len(results) == 3


def test_a_frame_waits_for_its_poses_and_no_longer() -> None:
    cell = Cell(4, duration_ms=2000, first_ms=1000, period_ms=2000)
    frame = cell.frames()[0]
    synchronizer = _synchronizer()
    for pose in cell.poses():
        if pose.t_arrival_ns < S + 1000 * MS:
            synchronizer.add_pose(pose)
    synchronizer.add_frame(frame)
    assert synchronizer.take(frame.t_arrival_ns + 149 * MS) == []
    assert synchronizer.pending == 1
    (late,) = synchronizer.take(frame.t_arrival_ns + 151 * MS)
    assert isinstance(late, Rejection)
    assert late.note.reason is Reason.POSE_MISSING
    assert late.note.detail == "frame 0: robot poses end before the exposure does"
    # a pose that comes too late does not bring the frame back
    for pose in cell.poses():
        synchronizer.add_pose(pose)
    assert synchronizer.take(S * 10) == []


def test_a_pose_that_comes_after_the_deadline_does_not_place_the_frame() -> None:
    cell = Cell(5, duration_ms=2000, first_ms=1000, period_ms=2000)
    poses = [
        replace(pose, t_arrival_ns=pose.t_arrival_ns + 400 * MS) if index >= 125 else pose
        for index, pose in enumerate(cell.poses())
    ]
    assert _reasons(_run(in_order(poses, cell.frames()))) == {0: Reason.POSE_MISSING}


def test_no_robot_at_all_says_so() -> None:
    (result,) = _run([Cell(6).frames()[0]])
    assert isinstance(result, Rejection)
    assert result.note.detail == "frame 0: no robot poses: is the robot connected?"


def test_stragglers_and_duplicates_of_poses_change_nothing() -> None:
    cell = Cell(7, duration_ms=2000)
    poses, frames = cell.poses(), cell.frames()
    straggling = [
        replace(pose, t_arrival_ns=pose.t_arrival_ns + 9 * MS) if index % 20 == 7 else pose
        for index, pose in enumerate(poses)
    ]
    synchronizer = _synchronizer()
    doubled = [
        event for event in in_order(straggling, frames) for _ in range(1 + isinstance(event, Pose))
    ]
    assert _reasons(_run(doubled, synchronizer)) == {}
    assert synchronizer.poses.dropped >= len(poses)


@pytest.mark.parametrize("step_ns", [5 * S, -5 * S])
def test_a_stepped_camera_clock_is_noticed_and_learned_again(step_ns: int) -> None:
    cell = Cell(8, duration_ms=4000, period_ms=300)
    frames = cell.frames()
    for index in range(5, len(frames)):
        frames[index] = replace(frames[index], t_device_ns=frames[index].t_device_ns + step_ns)
    results = _run(in_order(cell.poses(), frames))
    reasons = _reasons(results)
    assert 5 in reasons
    assert set(reasons.values()) <= {Reason.CLOCK_UNSYNCED, Reason.FRAME_INVALID}
    assert max(reasons) < len(frames) - 1
    for frame_id, view in _views(results).items():
        assert cell.error_mm(frame_id, view.part_from_camera) <= view.uncertainty_mm + 1e-6


@pytest.mark.parametrize("step_ns", [5 * S, -5 * S])
def test_a_stepped_robot_clock_is_noticed_and_learned_again(step_ns: int) -> None:
    cell = Cell(9, speed_mm_s=20, duration_ms=4000, period_ms=300)
    poses = cell.poses()
    for index in range(200, len(poses)):
        poses[index] = replace(poses[index], t_robot_ns=poses[index].t_robot_ns + step_ns)
    results = _run(in_order(poses, cell.frames()))
    reasons = _reasons(results)
    assert reasons
    assert set(reasons.values()) <= {
        Reason.CLOCK_UNSYNCED,
        Reason.POSE_MISSING,
        Reason.POSE_UNCERTAIN,
    }
    assert max(reasons) < len(cell.frames()) - 1
    for frame_id, view in _views(results).items():
        assert cell.error_mm(frame_id, view.part_from_camera) <= view.uncertainty_mm + 1e-6


def test_a_frame_delivered_late_is_not_trusted() -> None:
    cell = Cell(10, duration_ms=3000, period_ms=300)
    frames = cell.frames()
    frames[4] = replace(frames[4], t_arrival_ns=frames[4].t_arrival_ns + 200 * MS)
    results = _run(in_order(cell.poses(), frames))
    assert _reasons(results) == {4: Reason.CLOCK_UNSYNCED}
    (note,) = (result.note for result in results if isinstance(result, Rejection))
    way_ms = int(note.detail.split(" ms on the way")[0].split()[-1])
    assert abs(way_ms - 200) <= 30  # four messages leave the fit 25 ms


def test_a_frame_delivered_twice_is_not_two_views() -> None:
    cell = Cell(11, duration_ms=2000, period_ms=300)
    frames = cell.frames()
    again = replace(frames[2], t_arrival_ns=frames[2].t_arrival_ns + 5 * MS)
    results = _run(in_order(cell.poses(), [*frames, again]))
    assert len(results) == len(frames) + 1
    assert Reason.FRAME_INVALID in _reasons(results).values()


def test_a_frame_of_another_size_is_rejected() -> None:
    cell = Cell(12, duration_ms=2000)
    frames = cell.frames()
    frames[0] = replace(frames[0], image=np.zeros((3, 2), np.uint8))
    results = _run(in_order(cell.poses(), frames))
    assert _reasons(results) == {0: Reason.FRAME_INVALID}


# --- bounded, and fit for the next job ------------------------------------------------------------


def test_frames_that_pile_up_are_rejected_not_kept() -> None:
    cell = Cell(13, duration_ms=3000, period_ms=5)
    synchronizer = Synchronizer(CALIBRATION, GAP_NS, LIMIT_MM, max_wait_ns=10 * S)
    for frame in cell.frames()[: MAX_PENDING + 3]:
        synchronizer.add_frame(frame)
    reasons = _reasons(synchronizer.take(S))
    assert reasons == dict.fromkeys(range(3), Reason.QUEUE_OVERFLOW)
    assert synchronizer.pending == MAX_PENDING


def test_results_that_nobody_takes_do_not_grow() -> None:
    cell = Cell(14, duration_ms=3000, period_ms=20)
    synchronizer = _synchronizer()
    for event in in_order(cell.poses(), cell.frames()):
        if isinstance(event, Pose):
            synchronizer.add_pose(event)
        else:
            synchronizer.add_frame(event)
    results = synchronizer.take(10 * S)
    assert len(results) <= MAX_RESULTS
    assert Reason.QUEUE_OVERFLOW in _reasons(results).values()


def test_a_new_job_forgets_the_frames_of_the_last_but_not_the_clocks() -> None:
    cell = Cell(15, duration_ms=3000)
    synchronizer = _synchronizer()
    _run(in_order(cell.poses(), cell.frames()[:-1]), synchronizer)
    known_ns = synchronizer.camera_clock.residual_ns
    synchronizer.add_frame(replace(cell.frames()[-1], t_arrival_ns=cell.frames()[-1].t_arrival_ns))
    synchronizer.clear()
    assert synchronizer.pending == 0
    assert synchronizer.take(100 * S) == []
    assert known_ns is not None
    assert known_ns < 5 * MS


@pytest.mark.parametrize(("gap_ns", "limit_mm"), [(0, 1.0), (GAP_NS, 0.0), (GAP_NS, float("nan"))])
def test_limits_that_limit_nothing_are_refused(gap_ns: int, limit_mm: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Synchronizer(CALIBRATION, gap_ns, limit_mm)
