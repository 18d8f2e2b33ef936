"""Where a job's time goes: nothing timed twice, nothing kept from the part before."""

from __future__ import annotations

import pytest

from voxgate.runtime.common.timings import JobTimes, Stopwatch, Timing, Work


def test_what_was_taken_is_not_told_again() -> None:
    watch = Stopwatch(iter(range(0, 100, 10)).__next__)
    with watch.time(Work.REGISTER):
        pass
    with watch.time(Work.ENGINE):
        pass
    assert watch.take() == (Timing(Work.REGISTER, 10), Timing(Work.ENGINE, 10))
    assert watch.take() == ()


def test_work_that_failed_took_its_time_too() -> None:
    watch = Stopwatch(iter((5, 8)).__next__)
    with pytest.raises(ZeroDivisionError), watch.time(Work.ENGINE):
        raise ZeroDivisionError
    assert watch.take() == (Timing(Work.ENGINE, 3),)


def test_job_without_a_view_tells_no_times() -> None:
    assert JobTimes().in_ms() == {}


def test_totals_and_the_last_view_are_told() -> None:
    times = JobTimes(inspect_ns=[7_000_000, 5_000_000])
    times.add([Timing(Work.ALIGN, 4_000_000), Timing(Work.ENGINE, 2_000_000)])
    times.add([Timing(Work.ENGINE, 3_000_000)])
    assert times.in_ms() == {
        "inspect_max": 7.0,
        "inspect_total": 12.0,
        "align_total": 4.0,
        "engine_total": 5.0,
        "engine_last": 3.0,
    }
