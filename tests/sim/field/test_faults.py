"""A fault that is not committed as ordered makes every promise it was to test look kept."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.sim.field.events import Exposed, FrameSend, PoseSend, Schedule, StepSend
from voxgate.sim.field.faults import ALLOWED, Fault, FaultError, Kind, Target, Unit, fault_from_text
from voxgate.sim.field.schedule import DELAY_NS, OUTLIER_NS, schedule_from_timeline
from voxgate.sim.field.timeline import Exposure, Sample, Timeline, Warp

MS = 1_000_000
PERIOD_NS = 8 * MS
VIEWS = 6


def _timeline() -> Timeline:
    samples = tuple(
        Sample(n * PERIOD_NS, (float(n), 0.0, 500.0), (1.0, 0.0, 0.0, 0.0)) for n in range(250)
    )
    exposures = tuple(Exposure((200 + 300 * n) * MS, 8 * MS, n) for n in range(VIEWS))
    return Timeline(samples, exposures, readout_ns=18 * MS)


def _play(*texts: str, seed: int = 3) -> Schedule:
    return schedule_from_timeline(_timeline(), tuple(map(fault_from_text, texts)), seed)


def _views(schedule: Schedule) -> list[int]:
    return [f.exposure.index for f in _frames(schedule)]


def _frames(schedule: Schedule) -> list[FrameSend]:
    return [event for event in schedule.events if isinstance(event, FrameSend)]


def _poses(schedule: Schedule) -> list[PoseSend]:
    return [event for event in schedule.events if isinstance(event, PoseSend)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop:view=3", Fault(Kind.DROP, Target.VIEW, view=3)),
        ("drop:frames=20%", Fault(Kind.DROP, Target.FRAMES, fraction=0.2)),
        ("drop:poses=0.5", Fault(Kind.DROP, Target.POSES, fraction=0.5)),
        ("delay:frames=20ms", Fault(Kind.DELAY, Target.FRAMES, time_ns=20 * MS)),
        ("delay:frames=2s,view=5", Fault(Kind.DELAY, Target.FRAMES, view=5, time_ns=2000 * MS)),
        ("step:camera=0.5s", Fault(Kind.STEP, Target.CAMERA, time_ns=500 * MS)),
        ("step:robot=-20ms,view=2", Fault(Kind.STEP, Target.ROBOT, view=2, time_ns=-20 * MS)),
        ("corrupt:image,view=3", Fault(Kind.CORRUPT, Target.IMAGE, view=3)),
        ("nan:poses", Fault(Kind.NAN, Target.POSES)),
        ("stop:view=5", Fault(Kind.STOP, Target.VIEW, view=5)),
    ],
)
def test_a_fault_is_what_the_command_line_says(text: str, fault: Fault) -> None:
    assert fault_from_text(text) == fault


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", "drop, delay"),
        ("melt:view=3", "drop, delay"),
        ("drop", "view, frames, poses"),
        ("drop:camera=3", "view, frames, poses"),
        ("drop:view", "view=3"),
        ("drop:view=-1", "view=3"),
        ("drop:view=3,view=4", "once"),
        ("drop:frames=120%", "between 0% and 100%"),
        ("drop:frames=", "20%"),
        ("delay:frames=20", "20ms"),
        ("delay:frames=-20ms", "step back"),
        ("delay:frames=20ms,when=3", "view=N"),
        ("delay:frames=20ms,view=3,view=4", "at most one"),
        ("corrupt:image=3", "no amount"),
        ("step:depth=1s", "camera, robot"),
    ],
)
def test_a_wrong_fault_is_one_line_that_says_what_is_allowed(text: str, allowed: str) -> None:
    with pytest.raises(FaultError) as caught:
        fault_from_text(text)
    assert allowed in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=30))
def test_no_text_crashes_the_parser(text: str) -> None:
    with contextlib.suppress(FaultError):
        fault_from_text(text)


@given(st.sampled_from(sorted(ALLOWED)), st.integers(0, 20), st.integers(0, 5_000))
def test_a_printed_fault_reads_back_as_itself(
    row: tuple[Kind, Target], view: int, milliseconds: int
) -> None:
    unit = ALLOWED[row]
    fault = Fault(
        *row,
        view=view,
        time_ns=milliseconds * MS if unit is Unit.TIME else 0,
        fraction=0.25 if unit is Unit.FRACTION else 0.0,
    )
    assert fault_from_text(str(fault)) == fault


def test_without_faults_everything_arrives_in_order_within_the_network_delay() -> None:
    schedule = _play()
    assert _views(schedule) == list(range(VIEWS))
    assert [pose.number for pose in _poses(schedule)] == list(range(250))
    for frame in _frames(schedule):
        lag_ns = frame.send_ns - frame.exposure.end_ns - 18 * MS
        assert DELAY_NS[0] <= lag_ns <= OUTLIER_NS
    assert schedule.last_exposure_ns == (200 + 300 * 5 + 8) * MS


@pytest.mark.slow
@given(st.integers(0, 2**32))
def test_the_same_seed_plays_the_same_job(seed: int) -> None:
    faults = ("drop:frames=50%", "drop:poses=30%")
    assert _play(*faults, seed=seed) == _play(*faults, seed=seed)


@pytest.mark.parametrize(
    ("fault", "views"),
    [
        ("drop:view=3", [0, 1, 2, 4, 5]),
        ("drop:frames=100%", []),
        ("drop:frames=0%", [0, 1, 2, 3, 4, 5]),
        ("reorder:view=3", [0, 1, 2, 4, 3, 5]),
        ("duplicate:view=3", [0, 1, 2, 3, 3, 4, 5]),
        ("stale:view=3", [0, 1, 2, 2, 4, 5]),
        ("stop:view=4", [0, 1, 2, 3]),
        ("delay:frames=700ms,view=2", [0, 1, 3, 4, 2, 5]),
        ("freeze:frames=500ms,view=1", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_frames_that_arrive_are_those_the_fault_leaves(fault: str, views: list[int]) -> None:
    assert _views(_play(fault)) == views


def test_the_robot_goes_on_after_the_planned_exposures_even_if_the_camera_died() -> None:
    exposed = [e.send_ns for e in _play("stop:view=4").events if isinstance(e, Exposed)]
    assert exposed == [(200 + 300 * 5 + 8) * MS]


def test_the_camera_counts_also_the_frames_that_get_lost() -> None:
    schedule = _play("drop:view=3")
    assert [frame.number for frame in _frames(schedule)] == [0, 1, 2, 4, 5]
    assert schedule.frame_count == VIEWS


def test_a_frozen_stream_is_silent_around_its_exposure_and_then_goes_on() -> None:
    schedule = _play("freeze:poses=300ms,view=2")
    gap_ns = max(np.diff([pose.sample.t_ns for pose in _poses(schedule)]))
    exposure = _timeline().exposures[2]
    assert gap_ns >= 300 * MS
    assert not any(
        exposure.t_ns <= pose.sample.t_ns <= exposure.end_ns for pose in _poses(schedule)
    )


def test_a_stale_stream_keeps_its_rate_and_its_old_stamp() -> None:
    plain, stale = _poses(_play()), _poses(_play("stale:poses=300ms,view=2"))
    assert [pose.send_ns for pose in plain] == [pose.send_ns for pose in stale]
    stamps = [pose.sample.t_ns for pose in stale]
    assert stamps.count(max(stamps, key=stamps.count)) > 30


def test_a_delayed_pose_holds_up_those_behind_it() -> None:
    sent_ns = [pose.send_ns for pose in _poses(_play("delay:poses=50ms,view=2"))]
    assert sent_ns == sorted(sent_ns)


@pytest.mark.parametrize("fault", ["nan:poses,view=1", "quaternion:poses,view=1"])
def test_spoiled_poses_lie_around_the_exposure_and_nowhere_else(fault: str) -> None:
    exposure = _timeline().exposures[1]
    spoiled = [
        pose.sample.t_ns
        for pose in _poses(_play(fault))
        if math.isnan(pose.sample.p_mm[0]) or abs(np.linalg.norm(pose.sample.q_wxyz) - 1) > 0.01
    ]
    assert min(spoiled) < exposure.t_ns
    assert max(spoiled) > exposure.end_ns
    assert max(spoiled) - min(spoiled) < 80 * MS


def test_a_clock_step_is_committed_before_its_exposure() -> None:
    steps = [e for e in _play("step:camera=0.5s,view=2").events if isinstance(e, StepSend)]
    assert [(step.device, step.step_ns) for step in steps] == [(Target.CAMERA, 500 * MS)]
    assert steps[0].send_ns < _timeline().exposures[2].t_ns


def test_a_faster_arm_is_not_faster_while_the_camera_exposes() -> None:
    start_ns = np.array([e.t_ns for e in _timeline().exposures])
    warp = Warp.around(start_ns, np.full(VIEWS, 8 * MS), 2000 * MS, speed=4.0)
    exposed_ns = warp.played_ns(start_ns + 8 * MS) - warp.played_ns(start_ns)
    assert (exposed_ns == 8 * MS).all()
    assert warp.played_ns(np.array([2000 * MS]))[0] < 1000 * MS


@given(st.floats(0.25, 20.0), st.integers(0, 2_000 * MS))
def test_recorded_and_played_time_are_each_others_inverse(speed: float, t_ns: int) -> None:
    start_ns = np.array([e.t_ns for e in _timeline().exposures])
    warp = Warp.around(start_ns, np.full(VIEWS, 8 * MS), 2000 * MS, speed)
    back_ns = warp.recorded_ns(warp.played_ns(np.array([t_ns])))[0]
    assert abs(back_ns - t_ns) <= speed + 1
