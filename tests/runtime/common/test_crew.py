"""Crew: the parts of a kernel all run, errors are not lost, threads end."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from voxgate.runtime.common.crew import Crew, _Places


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_spans_cover_every_item_once(threads: int) -> None:
    with Crew(threads) as crew:
        items = [item for index in range(threads) for item in range(*crew.span(index, 10))]
    assert items == list(range(10))


def test_an_error_in_a_helper_reaches_the_caller() -> None:
    def part(index: int) -> None:
        if index == 1:
            raise ValueError("from the helper")

    with Crew(2) as crew, pytest.raises(ValueError, match="from the helper"):
        crew.run(part)


def test_a_closed_crew_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with Crew(3) as crew:
        assert crew.run(lambda index: index) == [0, 1, 2]
    assert threading.active_count() == before


def test_scratch_memory_is_the_same_until_it_has_to_grow() -> None:
    with Crew(1) as crew:
        first = crew.scratch("a", (4, 5), np.float32)
        assert np.shares_memory(crew.scratch("a", (4, 5), np.float32), first)
        assert np.shares_memory(crew.scratch("a", (3, 6), np.float32), first)
        assert not np.shares_memory(crew.scratch("b", (4, 5), np.float32), first)
        assert not np.shares_memory(crew.scratch("a", (5, 5), np.float32), first)
        assert crew.scratch("a", (5, 4), np.float32).shape == (5, 4)
        assert crew.scratch("a", (5, 4), np.float32).flags.c_contiguous
        assert crew.scratch("a", (5, 4), np.int32).dtype == np.int32


def test_an_empty_crew_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Crew(0)


@pytest.mark.parametrize("threads", [1, 2])
def test_both_of_two_things_are_done_whoever_is_there(threads: int) -> None:
    with Crew(threads) as crew:
        assert crew.both(lambda: "first", lambda: 2) == ("first", 2)


def test_an_error_in_the_second_of_two_things_reaches_the_caller() -> None:
    with Crew(2) as crew, pytest.raises(ZeroDivisionError):
        crew.both(lambda: 1, lambda: 1 // 0)


def test_what_fails_waits_for_what_is_done_beside_it() -> None:
    """A helper that worked on would write into memory that the next view uses."""
    ended = threading.Event()

    def second() -> None:
        begun.wait(10)
        ended.set()

    def first() -> None:
        begun.set()
        raise ValueError("from the caller")

    begun = threading.Event()
    with Crew(2) as crew:
        with pytest.raises(ValueError, match="from the caller"):
            crew.both(first, second)
        assert ended.is_set()


def _where(crew: Crew) -> tuple[int, set[int]]:
    """The caller's own thread, and where its one helper may run."""
    told = crew.run(lambda index: (threading.get_native_id(), os.sched_getaffinity(0)))
    return told[0][0], set(told[1][1])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor")
def test_a_helper_is_not_woken_behind_the_thread_that_asks_it() -> None:
    """On a virtual machine both would run on one processor, one after the other."""
    every = set(os.sched_getaffinity(0))
    here = min(every)
    os.sched_setaffinity(0, {here})  # the caller stays where it is; its helpers need not
    try:
        with Crew(2) as crew:
            crew._places._cpus = every
            _where(crew)  # the helper begins
            _, helper = _where(crew)
            assert helper == every - {here}
    finally:
        os.sched_setaffinity(0, every)


def test_one_processor_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with Crew(2) as crew:
        assert crew.run(lambda index: index) == [0, 1]
        assert crew.run(lambda index: index) == [0, 1]


def test_processors_that_were_taken_away_end_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's share of the machine may change while it runs."""
    places = _Places()
    places.join()
    left = frozenset({0, 1})

    def refused(thread: int, cpus: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sched_setaffinity", refused)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: left)
    places.spread()
    assert places._cpus == left or len(places._cpus) < 2
