"""A virtual device clock that lies differently from what it was told would prove nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxgate.sim.field.clocks import DeviceClock

S = 1_000_000_000
hosts = st.integers(min_value=0, max_value=10**15)


@given(hosts, st.integers(min_value=0, max_value=10**15))
def test_a_clock_without_drift_only_has_another_zero(host_ns: int, zero_ns: int) -> None:
    clock = DeviceClock(zero_host_ns=5 * S, zero_device_ns=zero_ns)
    assert clock.device_ns(host_ns) - zero_ns == host_ns - 5 * S


def test_drift_is_parts_per_million() -> None:
    clock = DeviceClock(zero_host_ns=0, zero_device_ns=0, drift_ppm=20.0)
    assert clock.device_ns(1000 * S) == 1000 * S + 20_000_000


@given(hosts, hosts, st.integers(min_value=-S, max_value=S))
def test_a_step_shows_from_its_moment_on_and_not_before(
    host_ns: int, at_ns: int, step_ns: int
) -> None:
    clock = DeviceClock(zero_host_ns=0, zero_device_ns=7, drift_ppm=-20.0)
    shift_ns = clock.stepped(at_ns, step_ns).device_ns(host_ns) - clock.device_ns(host_ns)
    assert shift_ns == (step_ns if host_ns >= at_ns else 0)


def test_steps_add_up() -> None:
    clock = DeviceClock(0, 0).stepped(S, 10).stepped(2 * S, -3)
    assert clock.device_ns(3 * S) == 3 * S + 7


@given(hosts, hosts, st.floats(min_value=-100, max_value=100))
def test_a_drifting_clock_never_runs_backwards(a_ns: int, b_ns: int, ppm: float) -> None:
    clock = DeviceClock(0, 0, ppm)
    first, second = sorted((a_ns, b_ns))
    assert clock.device_ns(first) <= clock.device_ns(second)
