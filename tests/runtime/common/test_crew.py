"""Crew: the parts of a kernel all run, errors are not lost, threads end."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from voxgate.runtime.common.crew import Crew


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
