"""A verdict nobody acknowledged is said again: never as another one, never without end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxgate.runtime.common.timings import FOREVER_NS
from voxgate.runtime.station.reoffer import MOST, PACE_NS, Offers

PERIOD_NS = 5_000_000_000


def taken(offers: Offers, until_ns: int) -> list[tuple[int, str, int]]:
    """Every offer up to a time: when, which, for the how manieth time."""
    found, now_ns = [], 0
    while now_ns <= until_ns:
        offer = offers.take(now_ns)
        if offer is not None:
            found.append((now_ns, *offer))
        now_ns = max(now_ns + 1, offers.wake_ns())
    return found


def test_verdict_is_offered_so_often_and_no_more() -> None:
    offers = Offers(PERIOD_NS, 3)
    offers.decided("a", 0)
    assert taken(offers, 100 * PERIOD_NS) == [
        (PERIOD_NS, "a", 2),
        (2 * PERIOD_NS, "a", 3),
        (3 * PERIOD_NS, "a", 4),
    ]
    assert offers.wake_ns() == FOREVER_NS


def test_offering_can_be_switched_off() -> None:
    offers = Offers(PERIOD_NS, 0)
    offers.decided("a", 0)
    offers.again(["a", "b"], 0)
    assert taken(offers, 100 * PERIOD_NS) == []


def test_acknowledged_one_is_silent() -> None:
    offers = Offers(PERIOD_NS, 3)
    offers.decided("a", 0)
    offers.settled("a")
    assert offers.wake_ns() == FOREVER_NS


def test_listener_that_comes_late_hears_those_that_had_fallen_silent() -> None:
    offers = Offers(PERIOD_NS, 1)
    offers.decided("a", 0)
    assert taken(offers, 10 * PERIOD_NS) == [(PERIOD_NS, "a", 2)]
    offers.again(["a"], 20 * PERIOD_NS)
    assert offers.take(20 * PERIOD_NS + PACE_NS) == ("a", 3)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10**10), st.booleans()), max_size=80),
    st.integers(0, 4),
)
def test_no_robot_is_flooded(steps: list[tuple[int, int, bool]], times: int) -> None:
    offers, now_ns, last_ns, heard = Offers(PERIOD_NS, times), 0, -PACE_NS, dict[str, int]()
    for number, passed_ns, again in steps:
        now_ns += passed_ns
        if again:
            offers.again([f"r{number}"], now_ns)
        else:
            offers.decided(f"r{number}", now_ns)
        offer = offers.take(now_ns)
        if offer is not None:
            assert now_ns - last_ns >= PACE_NS
            assert times > 0
            last_ns, heard[offer[0]] = now_ns, offer[1]
        assert len(offers._open) <= MOST
