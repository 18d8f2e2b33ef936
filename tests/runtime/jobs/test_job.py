"""One job's life: it ends once, in time, and never by waiting for what cannot come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxgate.runtime.jobs.job import DECLARE_BEFORE_NS, Job, Step

MS = 1_000_000
DEADLINE_NS = 10_000 * MS
LATE_NS = 300 * MS


def job(planned: int = 3) -> Job:
    return Job("job-1", "part-1", planned, 0, DEADLINE_NS, LATE_NS)


def bring(job: Job, frames: int, complete: bool = False) -> None:
    """Frames that were placed and inspected."""
    for number in range(frames):
        job.frame_came()
        job.view_placed(number * MS)
        job.view_inspected(complete and number == frames - 1)


def test_job_ends_by_itself_when_every_view_is_inspected() -> None:
    running = job()
    bring(running, 3, complete=True)
    assert running.next_step(1) is Step.FINISH


def test_job_does_not_end_before_stop_while_views_are_missing() -> None:
    running = job()
    bring(running, 2)
    assert running.next_step(DEADLINE_NS - DECLARE_BEFORE_NS - 1) is Step.WAIT


def test_complete_job_still_hears_what_came_besides() -> None:
    running = job()
    bring(running, 3, complete=True)
    running.frame_came()
    assert running.next_step(1) is Step.WAIT
    running.frames_rejected()
    assert running.next_step(1) is Step.FINISH


def test_stopped_job_ends_at_once_when_nothing_is_on_its_way() -> None:
    running = job()
    bring(running, 2)
    running.frame_came()
    running.stop(100)
    assert running.next_step(100) is Step.WAIT
    running.frames_rejected()
    assert running.next_step(100) is Step.FINISH


def test_stopped_job_waits_for_late_frames_not_longer() -> None:
    running = job()
    bring(running, 2)
    running.stop(100)
    assert running.wake_ns() == 100 + LATE_NS
    assert running.next_step(100 + LATE_NS - 1) is Step.WAIT
    assert running.next_step(100 + LATE_NS) is Step.FINISH


def test_frame_that_never_finds_its_pose_is_flushed() -> None:
    running = job()
    running.frame_came()
    running.stop(0)
    assert running.next_step(LATE_NS) is Step.FLUSH
    running.rejected += running.waiting
    assert running.next_step(LATE_NS) is Step.FINISH


def test_second_stop_does_not_lengthen_the_wait() -> None:
    running = job()
    running.stop(0)
    running.stop(LATE_NS - 1)
    assert running.next_step(LATE_NS) is Step.FINISH


def test_inspector_is_asked_once() -> None:
    running = job()
    bring(running, 3, complete=True)
    running.finishing = True
    assert running.next_step(1) is Step.WAIT
    assert running.wake_ns() == DEADLINE_NS - DECLARE_BEFORE_NS


def test_deadline_ends_a_job_whose_inspector_hangs() -> None:
    running = job()
    bring(running, 3, complete=True)
    running.finishing = True
    assert running.next_step(DEADLINE_NS - DECLARE_BEFORE_NS) is Step.EXPIRE
    assert "3 of 3 frames came" in running.expired(DEADLINE_NS).detail


def test_last_exposure_is_the_latest_known() -> None:
    running = job()
    for exposure_end_ns in (5, 9, 7):
        running.frame_came()
        running.view_placed(exposure_end_ns)
    assert running.last_exposure_ns == 9


def test_exposure_that_was_over_before_the_job_is_stale() -> None:
    running = Job("job-1", "part-1", 3, 1000, DEADLINE_NS, LATE_NS)
    assert running.is_stale(999, residual_ns=0)
    assert running.is_stale(1099, residual_ns=100)  # in doubt it shows the part before
    assert not running.is_stale(1100, residual_ns=100)


EVENTS = st.lists(
    st.sampled_from(["frame", "place", "reject", "inspect", "complete", "stop", "finish"]),
    max_size=40,
)


@given(EVENTS, st.integers(0, 2 * DEADLINE_NS))
def test_no_course_of_events_outlives_the_deadline(events: list[str], now_ns: int) -> None:
    running = job()
    for event in events:
        if event == "frame":
            running.frame_came()
        elif event == "place" and running.waiting > 0:
            running.view_placed(now_ns)
        elif event == "reject" and running.waiting > 0:
            running.frames_rejected()
        elif event == "inspect" and running.inspected < running.placed:
            running.view_inspected(complete=False)
        elif event == "complete" and running.inspected < running.placed:
            running.view_inspected(complete=True)
        elif event == "stop":
            running.stop(now_ns // 2)
        elif event == "finish":
            running.finishing = True
    assert running.wake_ns() <= running.expires_ns
    if now_ns >= running.expires_ns:
        assert running.next_step(now_ns) is Step.EXPIRE
