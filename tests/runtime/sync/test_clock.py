"""The host time of a device stamp must lie within the claimed residual, or not be claimed."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits.repository import ROOT
from voxgate.runtime.service.loop import NAP_NS
from voxgate.runtime.sync.clock import ClockFit, DelayModel, Promise
from voxgate.runtime.sync.polygon import Polygon, box, clipped, extent, simplified, widened

EXAMPLES = ROOT / "examples" / "bracket"
MS = 1_000_000
S = 1_000_000_000


class Stream:
    """A device that sends: own offset, drift and delays, all known to the test."""

    def __init__(self, seed: int, drift_ppm: float = 20.0, offset_ns: int = 7 * S) -> None:
        self.random = np.random.default_rng(seed)
        self.drift_ppm = drift_ppm
        self.offset_ns = offset_ns
        self.arrived_ns = 0

    def host_ns(self, t_device_ns: int) -> int:
        return t_device_ns + self.offset_ns + round(t_device_ns * self.drift_ppm * 1e-6)

    def arrival_ns(self, t_device_ns: int) -> int:
        late = self.random.random() < 0.02
        delay_ms = 10 + 4 * self.random.random() if late else 0.2 + self.random.gamma(2.0, 0.25)
        # messages do not overtake each other
        sent_ns = self.host_ns(t_device_ns) + round(delay_ms * MS)
        self.arrived_ns = max(self.arrived_ns + 20_000, sent_ns)
        return self.arrived_ns


def _feed(fit: ClockFit, stream: Stream, start_ns: int, count: int, period_ns: int) -> int:
    for index in range(count):
        t_ns = start_ns + index * period_ns
        fit.add(t_ns, stream.arrival_ns(t_ns))
    return start_ns + count * period_ns


def _napping(arrivals_ns: list[int]) -> list[int]:
    """As an idle service stamps them: after one that woke it, the next wait for a nap's end."""
    stamped: list[int] = []
    awake_ns = 0
    for arrival_ns in arrivals_ns:
        if arrival_ns >= awake_ns:
            awake_ns = arrival_ns + NAP_NS
            stamped.append(arrival_ns)
        else:
            stamped.append(awake_ns)
    return stamped


@pytest.mark.parametrize("period_ms", [1, 2, 4, 8, 20, 40])
@pytest.mark.parametrize("seed", range(5))
def test_naps_of_an_idle_service_cost_the_clock_its_honesty(seed: int, period_ms: int) -> None:
    stream = Stream(seed, drift_ppm=-30)
    stamps_ns = [index * period_ms * MS for index in range(10_000 // period_ms)]
    fit = ClockFit()
    for t_ns, arrival_ns in zip(
        stamps_ns, _napping([stream.arrival_ns(t) for t in stamps_ns]), strict=True
    ):
        fit.add(t_ns, arrival_ns)
        claimed = fit.at(t_ns)
        assert abs(claimed.t_ns - stream.host_ns(t_ns)) <= claimed.residual_ns
    assert (fit.steps, fit.synced) == (0, True)
    assert fit.at(stamps_ns[-1]).residual_ns < 2 * MS


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    drift_ppm=st.floats(-150, 150),
    offset_ns=st.integers(-(10**15), 10**15),
    period_ms=st.sampled_from([1, 8, 33, 650]),
)
def test_truth_lies_within_the_residual_after_every_message(
    seed: int, drift_ppm: float, offset_ns: int, period_ms: int
) -> None:
    stream = Stream(seed, drift_ppm, offset_ns)
    # the device may have run for days, and its own clock may count from anywhere
    stream.arrived_ns = -(2**62)
    fit = ClockFit()
    for index in range(150):
        t_ns = index * period_ms * MS
        assert fit.add(t_ns, stream.arrival_ns(t_ns))
        for asked_ns in (t_ns, t_ns - 100 * MS, t_ns + S):
            at = fit.at(asked_ns)
            assert abs(at.t_ns - stream.host_ns(asked_ns)) <= at.residual_ns
    assert fit.synced
    assert fit.steps == 0


def test_residual_is_honest_after_one_message_and_shrinks() -> None:
    stream, fit = Stream(1), ClockFit()
    assert not fit.synced
    assert fit.residual_ns is None
    t_ns = _feed(fit, stream, 0, 1, 8 * MS)
    assert fit.at(0).residual_ns == pytest.approx(25 * MS, rel=0.01)
    t_ns = _feed(fit, stream, t_ns, 10, 8 * MS)
    assert fit.at(t_ns).residual_ns < 3 * MS
    t_ns = _feed(fit, stream, t_ns, 300, 8 * MS)
    assert fit.at(t_ns).residual_ns < 1.2 * MS


def test_residual_grows_while_nothing_arrives_and_comes_back() -> None:
    stream, fit = Stream(2), ClockFit()
    t_ns = _feed(fit, stream, 0, 500, 8 * MS)
    settled_ns = fit.at(t_ns).residual_ns
    later_ns = t_ns + 600 * S
    assert fit.at(later_ns).residual_ns > 5 * settled_ns
    t_ns = _feed(fit, stream, later_ns, 500, 8 * MS)
    assert fit.synced
    assert fit.at(t_ns).residual_ns < 1.5 * settled_ns


def test_drift_is_found_and_a_wandering_drift_is_followed() -> None:
    fit = ClockFit()
    host_ns, t_ns, offset_ns = 0.0, 0, 5 * S
    random = np.random.default_rng(3)
    for index in range(3000):
        drift_ppm = 20 + 4 * np.sin(index / 500)  # up to 0.04 ppm per second at 5 Hz
        t_ns += 200 * MS
        host_ns += 200 * MS * (1 + drift_ppm * 1e-6)
        truth_ns = round(host_ns) + offset_ns
        assert fit.add(t_ns, truth_ns + round((0.2 + random.gamma(2.0, 0.25)) * MS))
        assert abs(fit.host_ns(t_ns) - truth_ns) <= fit.at(t_ns).residual_ns
    assert fit.drift_ppm == pytest.approx(20, abs=8)
    assert fit.steps == 0


def test_device_ns_is_the_inverse_of_host_ns() -> None:
    stream, fit = Stream(4, 100.0, -(10**14)), ClockFit()
    _feed(fit, stream, 0, 200, 8 * MS)
    for t_ns in (0, 123_456_789, 5 * S):
        assert abs(fit.device_ns(fit.host_ns(t_ns)) - t_ns) <= 2


@pytest.mark.parametrize("step_ns", [20 * S, -20 * S, 100 * MS, -100 * MS, 3 * MS, -10 * MS])
def test_a_stepped_clock_is_never_trusted_before_it_is_known_again(step_ns: int) -> None:
    stream, fit = Stream(5), ClockFit()
    t_ns = _feed(fit, stream, 0, 500, 8 * MS)
    # the device's clock jumps by step_ns: its stamps mean another host time from now on
    t_ns += step_ns
    stream.offset_ns -= step_ns
    wrong = 0
    for index in range(200):
        stamp_ns = t_ns + index * 8 * MS
        fit.add(stamp_ns, stream.arrival_ns(stamp_ns))
        off_ns = abs(fit.host_ns(stamp_ns) - stream.host_ns(stamp_ns))
        wrong += fit.synced and off_ns > fit.at(stamp_ns).residual_ns
    # a step shorter than the promised delay shows only when a prompt message contradicts it
    assert wrong <= (0 if abs(step_ns) > 50 * MS else 20)
    assert fit.steps == 1
    assert fit.synced


def test_a_stall_of_the_host_is_not_taken_for_a_step() -> None:
    stream, fit = Stream(6), ClockFit()
    t_ns = _feed(fit, stream, 0, 500, 8 * MS)
    # 300 ms nothing is received, then everything at once
    resumed_ns = stream.host_ns(t_ns) + 300 * MS
    trusted = [
        fit.add(t_ns + index * 8 * MS, resumed_ns + index * 20_000) and fit.synced
        for index in range(37)
    ]
    assert not any(trusted[:30])
    stream.arrived_ns = resumed_ns + 37 * 20_000
    t_ns = _feed(fit, stream, t_ns + 37 * 8 * MS, 50, 8 * MS)
    assert fit.synced
    assert fit.steps == 0
    assert abs(fit.host_ns(t_ns) - stream.host_ns(t_ns)) <= fit.at(t_ns).residual_ns


def _looked_at(
    arrivals_ns: list[int], turn_ns: int, soon_every: int = 1000
) -> list[tuple[int, int]]:
    """When a host that looks only so often sees each, and when it looked in vain before that; one
    of so many it sees within 2 ms."""
    first = arrivals_ns[0] - turn_ns // 3
    looks = [first + -(-(arrival - first) // turn_ns) * turn_ns for arrival in arrivals_ns]
    seen = [(look, look - turn_ns) for look in looks]
    for number in range(soon_every, len(seen), soon_every):
        seen[number] = (arrivals_ns[number] + MS, arrivals_ns[number] - MS)
    return seen


@pytest.mark.parametrize("turn_ms", [7, 30, 90, 400])
def test_a_host_that_is_busy_for_long_is_taken_for_a_stepped_clock(turn_ms: int) -> None:
    """It sees few messages when they come, and knows since when it has not looked."""
    stream, fit = Stream(8), ClockFit()
    t_ns = _feed(fit, stream, 0, 500, 8 * MS)
    stamps_ns = [t_ns + index * 8 * MS for index in range(1000)]
    seen = _looked_at([stream.arrival_ns(t) for t in stamps_ns], turn_ms * MS, soon_every=50)
    for stamp_ns, (look_ns, before_ns) in zip(stamps_ns, seen, strict=True):
        assert fit.add(stamp_ns, look_ns, before_ns)
        claimed = fit.at(stamp_ns)
        assert abs(claimed.t_ns - stream.host_ns(stamp_ns)) <= claimed.residual_ns < 3 * MS
        assert fit.synced
    assert fit.steps == 0


@pytest.mark.parametrize("step_ms", [20_000, -20_000, 100, -100, -20, -10])
def test_a_step_is_put_down_to_a_host_that_is_busy(step_ms: int) -> None:
    stream, fit = Stream(9), ClockFit()
    t_ns = _feed(fit, stream, 0, 500, 8 * MS)
    stream.offset_ns -= step_ms * MS
    stamps_ns = [t_ns + step_ms * MS + index * 8 * MS for index in range(300)]
    seen = _looked_at([stream.arrival_ns(t) for t in stamps_ns], 30 * MS, soon_every=3)
    wrong = 0
    for stamp_ns, (look_ns, before_ns) in zip(stamps_ns, seen, strict=True):
        fit.add(stamp_ns, look_ns, before_ns)
        off_ns = abs(fit.host_ns(stamp_ns) - stream.host_ns(stamp_ns))
        wrong += fit.synced and off_ns > fit.at(stamp_ns).residual_ns
    # eight that were seen soon must contradict it
    assert wrong <= (0 if abs(step_ms) > 50 else 30)
    assert fit.steps == 1
    assert fit.synced


def test_a_host_that_sees_nothing_soon_is_believed_for_ever() -> None:
    """A step as long as it is busy would not show."""
    stream, fit = Stream(10), ClockFit()
    t_ns = _feed(fit, stream, 0, 500, 8 * MS)
    stream.offset_ns += 20 * MS
    stamps_ns = [t_ns - 20 * MS + index * 8 * MS for index in range(300)]
    arrivals_ns = [stream.arrival_ns(t) for t in stamps_ns]
    for stamp_ns, (look_ns, before_ns) in zip(
        stamps_ns, _looked_at(arrivals_ns, 30 * MS), strict=True
    ):
        fit.add(stamp_ns, look_ns, before_ns)
        assert not fit.synced or look_ns <= arrivals_ns[0] + S + 30 * MS
    assert not fit.synced


def test_memory_does_not_grow_with_the_messages() -> None:
    stream, fit = Stream(7), ClockFit()
    t_ns = 0
    for _ in range(30):
        t_ns = _feed(fit, stream, t_ns, 100, 100 * MS)
        assert len(fit._possible) <= 32
        assert len(fit._recent) <= 100


def test_asking_before_the_first_message_is_an_error() -> None:
    with pytest.raises(ValueError, match="no message"):
        ClockFit().at(0)


@pytest.mark.parametrize(
    "model",
    [
        {"promises": ()},
        {"promises": (Promise(8, MS),)},
        {"least_ns": MS, "promises": (Promise(1, MS),)},
        {"max_drift_ppm": 0.0},
        {"max_wander_ppm_per_s": -1.0},
    ],
)
def test_a_delay_model_that_bounds_nothing_is_refused(model: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"promise|drift"):
        DelayModel(**model)  # type: ignore[arg-type]


@pytest.mark.parametrize("scan", ["golden", "good", "bad"])
def test_recorded_clocks_are_within_the_residual(scan: str) -> None:
    clocks = json.loads((EXAMPLES / scan / "truth.json").read_text())["clocks"]
    for device, messages in (("robot", _robot(scan)), ("camera", _camera(scan))):
        fit = ClockFit()
        truth = clocks[f"host_from_{device}"]
        for t_ns, arrival_ns in messages:
            assert fit.add(t_ns, arrival_ns)
            host_s = truth["scale"] * (t_ns * 1e-9) + truth["offset"]
            assert abs(fit.host_ns(t_ns) - host_s * 1e9) <= fit.at(t_ns).residual_ns + 1000
        assert fit.synced


def _robot(scan: str) -> list[tuple[int, int]]:
    lines = (EXAMPLES / scan / "robot_poses.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [(round(row["t_robot"] * 1e9), round(row["host_rx"] * 1e9)) for row in rows]


def _camera(scan: str) -> list[tuple[int, int]]:
    lines = (EXAMPLES / scan / "frames.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        (
            row["t_camera_ticks"],
            round(row["host_rx"] * 1e9) - row["exposure_us"] * 1000 - 18 * MS,
        )
        for row in rows
    ]


# --- the polygon under it -------------------------------------------------------------------------

_lines = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.5, 1)), min_size=0, max_size=12
)


def _cut(lines: list[tuple[float, float, float]]) -> Polygon:
    polygon = box((-1.0, 1.0), (-1.0, 1.0))
    for nx, ny, limit in lines:
        polygon = clipped(polygon, nx, ny, limit)
    return polygon


@given(_lines, st.floats(-1, 1), st.floats(-1, 1))
def test_cutting_never_loses_a_point_that_every_bound_allows(
    lines: list[tuple[float, float, float]], x: float, y: float
) -> None:
    if all(nx * x + ny * y < limit - 1e-9 for nx, ny, limit in lines):
        _assert_inside(_cut(lines), x, y)


@given(_lines, st.integers(4, 16))
def test_simpler_and_wider_polygons_hold_the_original(
    lines: list[tuple[float, float, float]], directions: int
) -> None:
    polygon = _cut(lines)
    for x, y in polygon:
        _assert_inside(simplified(polygon, directions), x, y)
        _assert_inside(widened(polygon, 0.1, 0.2), x, y)
    if polygon:
        assert len(simplified(polygon, directions)) <= directions + 4
        wide = extent(widened(polygon, 0.1, 0.2), 1, 0)
        assert wide == pytest.approx(
            [a + b for a, b in zip(extent(polygon, 1, 0), (-0.1, 0.1), strict=True)]
        )


def _assert_inside(polygon: Polygon, x: float, y: float) -> None:
    assert polygon
    corners = [*polygon, polygon[0]]
    for (ax, ay), (bx, by) in pairwise(corners):
        assert (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= -1e-6
