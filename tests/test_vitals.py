"""systemd's watchdog is fed only while every stage makes progress."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.vitals import INSPECTION_PATIENCE_NS, PREPARATION_PATIENCE_NS, Pulse, Vitals


def test_a_view_that_never_ends_is_noticed() -> None:
    vitals = Vitals()
    assert vitals.stuck(Pulse(3, busy=True), 0) == ()
    assert vitals.stuck(Pulse(3, busy=True), INSPECTION_PATIENCE_NS) == ()
    assert vitals.stuck(Pulse(3, busy=True), INSPECTION_PATIENCE_NS + 1) == ("inspection for 60 s",)


def test_a_slow_line_is_not_a_dead_one() -> None:
    vitals = Vitals()
    for done in range(10):
        now_ns = done * INSPECTION_PATIENCE_NS
        assert vitals.stuck(Pulse(done, busy=True), now_ns) == ()


def test_an_idle_night_is_not_a_dead_one() -> None:
    vitals = Vitals()
    vitals.stuck(Pulse(1, busy=False), 0)
    assert vitals.stuck(Pulse(1, busy=False), 100 * INSPECTION_PATIENCE_NS) == ()
    assert vitals.stuck(Pulse(1, busy=True), 101 * INSPECTION_PATIENCE_NS) == ()


def test_a_large_engine_may_load_slowly_but_not_for_ever() -> None:
    vitals = Vitals()
    loading = Pulse(0, busy=True, preparing=True)
    vitals.stuck(loading, 0)
    assert vitals.stuck(loading, PREPARATION_PATIENCE_NS) == ()
    assert "preparation" in vitals.stuck(loading, PREPARATION_PATIENCE_NS + 1)[0]


def test_a_thread_that_is_gone_is_noticed_at_once() -> None:
    assert Vitals().stuck(Pulse(0, busy=False, missing=("metrics",)), 0) == ("metrics",)


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
    for passed_ns, finished, busy, preparing in steps:
        now_ns, done = now_ns + passed_ns, done + finished
        found = vitals.stuck(Pulse(done, busy, preparing), now_ns)
        if finished or not busy:
            begun_ns = now_ns
        patience_ns = PREPARATION_PATIENCE_NS if preparing else INSPECTION_PATIENCE_NS
        if now_ns - begun_ns <= patience_ns:
            assert found == ()
