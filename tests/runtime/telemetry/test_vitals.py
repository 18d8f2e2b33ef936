"""systemd's watchdog is fed only while every stage makes progress."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxgate.runtime.telemetry.vitals import (
    INSPECTION_PATIENCE_NS,
    PREPARATION_PATIENCE_NS,
    Pulse,
    Vitals,
)


def busy(done: int, stage: str = "inspection", thread: int = 1) -> Pulse:
    return Pulse(thread, stage, done, busy=True)


def test_a_view_that_never_ends_is_noticed() -> None:
    vitals = Vitals()
    assert vitals.stuck([busy(3)], 0) == ()
    assert vitals.stuck([busy(3)], INSPECTION_PATIENCE_NS) == ()
    assert vitals.stuck([busy(3)], INSPECTION_PATIENCE_NS + 1) == ("inspection for 60 s",)


def test_a_slow_line_is_not_a_dead_one() -> None:
    vitals = Vitals()
    for done in range(10):
        assert vitals.stuck([busy(done)], done * INSPECTION_PATIENCE_NS) == ()


def test_an_idle_night_is_not_a_dead_one() -> None:
    vitals, idle = Vitals(), Pulse(1, "inspection", 1, busy=False)
    vitals.stuck([idle], 0)
    assert vitals.stuck([idle], 100 * INSPECTION_PATIENCE_NS) == ()
    assert vitals.stuck([busy(1)], 101 * INSPECTION_PATIENCE_NS) == ()


def test_a_large_engine_may_load_slowly_but_not_for_ever() -> None:
    vitals, loading = Vitals(), busy(0, "preparation")
    vitals.stuck([loading], 0)
    assert vitals.stuck([loading], PREPARATION_PATIENCE_NS) == ()
    assert "preparation" in vitals.stuck([loading], PREPARATION_PATIENCE_NS + 1)[0]


def test_a_preparation_hides_no_inspection_that_stands_still() -> None:
    vitals = Vitals()
    loading = busy(0, "preparation", thread=2)
    vitals.stuck([busy(3), loading], 0)
    told = vitals.stuck([busy(3), loading], INSPECTION_PATIENCE_NS + 1)
    assert told == ("inspection for 60 s",)


def test_a_recipe_that_took_over_is_not_blamed_for_its_preparation() -> None:
    vitals, begun_ns = Vitals(), PREPARATION_PATIENCE_NS // 2
    vitals.stuck([busy(0, "preparation", thread=2)], 0)
    vitals.stuck([Pulse(2, "inspection", 1, busy=False)], begun_ns)
    assert vitals.stuck([busy(1, thread=2)], begun_ns + INSPECTION_PATIENCE_NS) == ()


def test_a_thread_that_is_gone_is_noticed_at_once() -> None:
    assert Vitals().stuck([], 0, ("metrics",)) == ("metrics",)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**12), st.integers(0, 1), st.booleans(), st.booleans()),
        max_size=30,
    )
)
def test_progress_in_time_is_never_called_stuck(
    steps: list[tuple[int, int, bool, bool]],
) -> None:
    vitals, now_ns, done, begun_ns = Vitals(), 0, 0, 0
    vitals.stuck([Pulse(1, "inspection", done, busy=False)], now_ns)
    for passed_ns, finished, works, preparing in steps:
        now_ns, done = now_ns + passed_ns, done + finished
        stage = "preparation" if preparing else "inspection"
        found = vitals.stuck([Pulse(1, stage, done, works)], now_ns)
        if finished or not works:
            begun_ns = now_ns
        patience_ns = PREPARATION_PATIENCE_NS if preparing else INSPECTION_PATIENCE_NS
        if now_ns - begun_ns <= patience_ns:
            assert found == ()
