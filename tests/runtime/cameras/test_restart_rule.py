"""When a worker is started, killed, replaced or given up: a table of times, no process."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.runtime.cameras.restart_rule import MS, Order, Phase, RestartRule, Sighting
from voxgate.runtime.cameras.settings import CameraSettings, NetworkSettings


def _settings(silence_ms: int | None = None, restarts: int = 3) -> CameraSettings:
    return CameraSettings(
        "red",
        NetworkSettings("ipc:///nowhere"),
        4,
        3,
        depth=False,
        start_ms=5_000,
        heartbeat_ms=1_000,
        silence_ms=silence_ms,
        backoff_ms=100,
        backoff_max_ms=400,
        restarts=restarts,
        restart_window_s=60,
    )


GONE = Sighting(alive=False, ready=False)
STARTING = Sighting(alive=True, ready=False)


def _running(rule: RestartRule, now_ms: int = 0) -> None:
    assert rule.decide(now_ms * MS, GONE) is Order.SPAWN
    seen = Sighting(alive=True, ready=True, beat_ns=now_ms * MS, frame_ns=now_ms * MS)
    assert rule.decide(now_ms * MS, seen) is Order.NOTHING
    assert rule.phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("at_ms", "beat_ms", "frame_ms", "order", "why"),
    [
        (1_000, 900, 0, Order.NOTHING, ""),
        (1_900, 900, 1_800, Order.NOTHING, ""),  # exactly the limit
        (1_901, 900, 1_800, Order.KILL, "stood still for 1000 ms"),
        (3_001, 3_000, 1_000, Order.KILL, "sent no frame for 2000 ms"),
        (3_000, 3_000, 1_000, Order.NOTHING, ""),
    ],
)
def test_a_worker_is_killed_too_early_or_never(
    at_ms: int, beat_ms: int, frame_ms: int, order: Order, why: str
) -> None:
    rule = RestartRule(_settings(silence_ms=2_000))
    _running(rule)
    seen = Sighting(alive=True, ready=True, beat_ns=beat_ms * MS, frame_ns=frame_ms * MS)
    _look_on(rule, at_ms, seen)
    assert rule.decide(at_ms * MS, seen) is order
    assert why in rule.why


def _look_on(rule: RestartRule, until_ms: int, seen: Sighting) -> None:
    """What the rule saw before: the supervisor looks every 100 ms."""
    for now_ms in range(100, until_ms, 100):
        healthy = replace(seen, beat_ns=min(seen.beat_ns, now_ms * MS))
        assert rule.decide(now_ms * MS, healthy) is Order.NOTHING


def test_a_paused_machine_has_every_worker_killed() -> None:
    """The watcher stood still as long as the watched: it looks again before it judges."""
    rule = RestartRule(_settings(silence_ms=900))
    _running(rule)
    seen = Sighting(alive=True, ready=True, beat_ns=100 * MS, frame_ns=100 * MS)
    assert rule.decide(100 * MS, seen) is Order.NOTHING
    for now_ms in range(60_000, 60_901, 100):
        assert rule.decide(now_ms * MS, seen) is Order.NOTHING
    assert rule.decide(60_950 * MS, seen) is Order.KILL


def test_a_triggered_camera_is_killed_for_waiting() -> None:
    rule = RestartRule(_settings(silence_ms=None))
    _running(rule)
    later = 3_600_000 * MS
    assert rule.decide(later, Sighting(True, True, beat_ns=later)) is Order.NOTHING


def test_a_camera_that_never_opens_is_waited_for_for_ever() -> None:
    rule = RestartRule(_settings())
    assert rule.decide(0, GONE) is Order.SPAWN
    assert rule.decide(5_000 * MS, STARTING) is Order.NOTHING
    assert rule.decide(5_001 * MS, STARTING) is Order.KILL
    assert "not ready for 5000 ms" in rule.why
    assert rule.decide(5_002 * MS, STARTING) is Order.NOTHING  # dying, not yet gone
    assert rule.decide(5_003 * MS, GONE) is Order.BURY


def test_a_dead_worker_is_restarted_in_a_busy_loop() -> None:
    rule = RestartRule(_settings(restarts=10))
    now_ns, delays_ms = 0, []
    for _ in range(5):
        assert rule.decide(now_ns, GONE) is Order.SPAWN
        assert rule.decide(now_ns, GONE) is Order.BURY
        due_ns = rule.next_start_ns
        assert due_ns is not None
        assert rule.decide(due_ns - 1, GONE) is Order.NOTHING
        delays_ms.append((due_ns - now_ns) // MS)
        now_ns = due_ns
    assert delays_ms == [100, 200, 400, 400, 400]


def test_the_delay_stays_long_after_a_camera_was_well_again() -> None:
    rule = RestartRule(_settings(restarts=10))
    now_ns = 0
    for _ in range(3):
        assert rule.decide(now_ns, GONE) is Order.SPAWN
        assert rule.decide(now_ns, GONE) is Order.BURY
        now_ns = rule.next_start_ns or 0
    assert rule.decide(now_ns, GONE) is Order.SPAWN
    assert rule.decide(now_ns, Sighting(True, True, now_ns, now_ns)) is Order.NOTHING
    now_ns += 500 * MS  # longer than the longest delay
    assert rule.decide(now_ns, GONE) is Order.BURY
    assert rule.next_start_ns == now_ns + 100 * MS


def _give_up(rule: RestartRule, restarts: int) -> int:
    now_ns = 0
    for _ in range(restarts + 1):
        assert rule.decide(now_ns, GONE) is Order.SPAWN
        assert rule.decide(now_ns, GONE) is Order.BURY
        now_ns = rule.next_start_ns or now_ns
    return now_ns


def test_a_broken_camera_is_restarted_for_ever() -> None:
    rule = RestartRule(_settings(restarts=3))
    now_ns = _give_up(rule, 3)
    assert rule.phase is Phase.GIVEN_UP
    assert rule.next_start_ns is None
    assert rule.decide(now_ns + 10**12, GONE) is Order.NOTHING


def test_reset_does_not_bring_a_given_up_camera_back() -> None:
    rule = RestartRule(_settings(restarts=0))
    now_ns = _give_up(rule, 0)
    rule.reset(now_ns)
    assert rule.decide(now_ns, GONE) is Order.SPAWN


def test_old_restarts_count_for_ever() -> None:
    rule = RestartRule(_settings(restarts=1))
    for minute in range(5):
        now_ns = minute * 61_000 * MS
        assert rule.decide(now_ns, GONE) is Order.SPAWN
        assert rule.decide(now_ns, GONE) is Order.BURY
        assert rule.phase is Phase.DOWN


def test_reset_disturbs_a_camera_that_runs() -> None:
    rule = RestartRule(_settings())
    _running(rule)
    rule.reset(1)
    assert rule.phase is Phase.RUNNING


@given(st.lists(st.tuples(st.integers(0, 3_000), st.booleans(), st.booleans()), max_size=80))
def test_an_order_makes_no_sense_in_its_phase(steps: list[tuple[int, bool, bool]]) -> None:
    """A process is spawned only when none is alive, killed or buried only when there is one."""
    rule = RestartRule(_settings(restarts=5))
    now_ns, exists = 0, False
    for wait_ms, dies, ready in steps:
        now_ns += wait_ms * MS
        alive = exists and not dies
        order = rule.decide(now_ns, Sighting(alive, alive and ready))
        assert (order is Order.SPAWN) <= (not exists)
        assert (order is Order.KILL) <= alive
        assert (order is Order.BURY) == (exists and not alive)
        exists = order is Order.SPAWN or (exists and order is not Order.BURY)
