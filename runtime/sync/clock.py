"""A device's clock on the host's steady clock, from one-way messages, with an honest bound.

Each message carries the device's stamp and gets an arrival stamp here. Its delay is unknown, but
never negative, and the network promises that of any few messages one is prompt (`DelayModel`).
So every message cuts a half-plane off the set of (offset, drift) pairs that are still possible;
what remains is a small convex polygon. Its middle is the estimate, half its width the residual:
25 ms after one message, about a millisecond after some. An outlier is merely a message that cuts
nothing. When nothing remains, a clock was stepped or a promise broken: a message that arrives
before it was sent starts the fit again at once; one that is too late makes it doubtful, and it
starts again if that lasts. A step shorter than the promised delays shows only when a prompt
message contradicts it. (Set-membership estimation, Schweppe 1968; the minimum-delay filter of NTP,
RFC 5905 section 10, is its one-sided case.)

A host that is busy looks late: then a message had come somewhen since it was looked for in vain,
and each half-plane is cut at the end of that time which proves less. The promises about several
are held by those alone that were seen soon after a look in vain, or a step as long as the host is
busy would be put down to it; without one for a second the clock is doubtful.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import islice

from voxgate.runtime.sync.polygon import (
    Point,
    Polygon,
    box,
    clipped,
    extent,
    sheared,
    simplified,
    widened,
)

NS_PER_S = 1_000_000_000
MAX_CORNERS = 16  # of the polygon
FOLD_S = 10.0  # how often elapsed time is folded into the polygon
APART_NS = 5_000_000  # messages closer together wait in the same queue and share one delay
# A burst of late messages after a stall of the host is over at once, a stepped clock stays stepped.
STEP_MESSAGES = 3
STEP_NS = NS_PER_S // 2
SOON_NS = 5_000_000  # between a look in vain and the one that found a message
UNSEEN_NS = NS_PER_S  # that nothing was seen so soon


@dataclass(frozen=True, slots=True)
class Promise:
    """Of any `of` consecutive messages, 5 ms apart or more, one arrives within `within_ns`."""

    of: int
    within_ns: int


@dataclass(frozen=True, slots=True)
class DelayModel:
    """What is assumed of one stream; the residual is as honest as these numbers.

    The defaults hold with room for the recorded streams (0.2 to 2 ms, outliers to 15 ms, at most
    four messages in a row beyond 2.5 ms) and for a host whose cores are busy.
    """

    least_ns: int = 0  # nothing arrives before it was sent; a measured floor tightens the fit
    promises: tuple[Promise, ...] = (
        Promise(1, 50_000_000),
        Promise(8, 5_000_000),
        Promise(100, 2_000_000),
    )
    max_drift_ppm: float = (
        200.0  # quartz is within 100, the device's and the host's; none is slewed
    )
    max_wander_ppm_per_s: float = 0.05  # about 1 ppm per kelvin, warming by 3 K in a minute

    def __post_init__(self) -> None:
        if not self.promises or self.promises[0].of != 1:
            raise ValueError("the first promise must be about every single message")
        if any(p.of < 1 or p.within_ns <= self.least_ns for p in self.promises):
            raise ValueError("a promise needs at least 1 message and more than the least delay")
        if not (0 < self.max_drift_ppm <= 1000 and 0 <= self.max_wander_ppm_per_s <= 10):
            raise ValueError("drift must be up to 1000 ppm, wander up to 10 ppm per second")


@dataclass(frozen=True, slots=True)
class HostTime:
    """An instant on the host's clock; the truth lies within `residual_ns` of it."""

    t_ns: int
    residual_ns: int


@dataclass(frozen=True, slots=True)
class ClockState:
    """Everything a fit knows; with it another process goes on to the same bits."""

    possible: Polygon
    ref_ns: int
    base_ns: int
    recent: tuple[tuple[int, int], ...]
    apart: int
    kept: tuple[bool, ...]
    doubts: int
    doubt_since_ns: int
    steps: int


class ClockFit:
    """Maps one device clock to the host's. Add every message; ask `synced` before you trust it."""

    def __init__(self, model: DelayModel | None = None) -> None:
        self.model = model or DelayModel()
        self._wander = self.model.max_wander_ppm_per_s * 1000  # ns per s, each second
        self._about_several = tuple(enumerate(self._promises))[1:]
        self.steps = 0  # how often the fit had to start again
        self._recent: deque[tuple[int, int]] = deque(maxlen=max(p.of for p in self._promises))
        self._possible: Polygon = ()  # x: ns at _ref_ns, y: ns per s, both about device + _base
        self._boxed: Polygon = ()  # the one that _box is around
        self._box: tuple[Point, Point] = ((0.0, 0.0), (0.0, 0.0))
        self._ref_ns = 0
        self._base_ns = 0
        self._apart = 0
        self._kept = [True for _ in self._promises]
        self._doubts = 0
        self._doubt_since_ns = 0
        self._newest_ns = 0  # arrival

    @property
    def synced(self) -> bool:
        """There were messages, and the latest contradict neither the fit nor the promises."""
        seen = bool(self._possible) and self._newest_ns - self._recent[-1][1] <= UNSEEN_NS
        return seen and self._doubts == 0

    @property
    def residual_ns(self) -> int | None:
        """Residual at the newest folded instant, for a gauge; None before the first message."""
        return self.at(self._ref_ns).residual_ns if self._possible else None

    @property
    def offset_ns(self) -> int | None:
        """Host minus device at the newest folded instant; None before the first message."""
        return self.at(self._ref_ns).t_ns - self._ref_ns if self._possible else None

    @property
    def drift_ppm(self) -> float | None:
        """How much faster the host's clock runs; None before the first message."""
        return sum(extent(self._possible, 0, 1)) / 2000.0 if self._possible else None

    def add(self, t_device_ns: int, t_arrival_ns: int, t_awaited_ns: int | None = None) -> bool:
        """Take one message in order of arrival; False when it contradicts what is known.

        `t_arrival_ns` is less every known part of the delay (exposure, readout); at `t_awaited_ns`
        it had not come yet, None: it was looked at when it came.
        """
        came_ns = t_arrival_ns if t_awaited_ns is None else min(t_awaited_ns, t_arrival_ns)
        self._newest_ns = t_arrival_ns
        if not self._possible:
            self._start(t_device_ns, t_arrival_ns, came_ns)
            return True
        if not self._cut_above(t_device_ns, t_arrival_ns):
            self._restart(t_device_ns, t_arrival_ns, came_ns)
            return False
        self._kept[0] = self._cut_single(t_device_ns, came_ns)
        if t_arrival_ns - came_ns <= SOON_NS:
            self._cut_below(t_device_ns, came_ns)
        agrees = all(self._kept)
        self._doubt(agrees, t_device_ns, t_arrival_ns, came_ns)
        return agrees

    def at(self, t_device_ns: int) -> HostTime:
        """`t_device_ns` on the host's clock. Raises ValueError before the first message."""
        if not self._possible:
            raise ValueError("no message of this clock has arrived")
        seconds = (t_device_ns - self._ref_ns) / NS_PER_S
        low, high = extent(self._possible, 1.0, seconds)
        residual_ns = math.ceil((high - low) / 2 + self._wander_ns(seconds)) + 1
        return HostTime(t_device_ns + self._base_ns + round((low + high) / 2), residual_ns)

    def forget(self) -> None:
        """Start again with the next message, because of what was learned elsewhere: no step."""
        self._possible = ()

    def state(self) -> ClockState:
        """What is known so far."""
        return ClockState(
            possible=self._possible,
            ref_ns=self._ref_ns,
            base_ns=self._base_ns,
            recent=tuple(self._recent),
            apart=self._apart,
            kept=tuple(self._kept),
            doubts=self._doubts,
            doubt_since_ns=self._doubt_since_ns,
            steps=self.steps,
        )

    def resume(self, state: ClockState) -> None:
        """Go on from what another fit knew. Raises ValueError when its promises were others."""
        if len(state.kept) != len(self._promises):
            raise ValueError(f"{len(state.kept)} promises, this clock has {len(self._promises)}")
        self._possible, self._ref_ns, self._base_ns = state.possible, state.ref_ns, state.base_ns
        self._recent.clear()
        self._recent.extend(state.recent)
        self._apart, self._kept = state.apart, list(state.kept)
        self._doubts, self._doubt_since_ns = state.doubts, state.doubt_since_ns
        self.steps = state.steps

    def host_ns(self, t_device_ns: int) -> int:
        """`t_device_ns` on the host's clock, best estimate."""
        return self.at(t_device_ns).t_ns

    def device_ns(self, t_host_ns: int) -> int:
        """The device's clock at `t_host_ns`, best estimate: the inverse of `host_ns`."""
        t_device_ns = t_host_ns - self._base_ns
        for _ in range(4):  # drift is below 1e-3, so each turn gains three digits
            t_device_ns += t_host_ns - self.host_ns(t_device_ns)
        return t_device_ns

    @property
    def _promises(self) -> tuple[Promise, ...]:
        return self.model.promises

    def _start(self, t_device_ns: int, t_arrival_ns: int, came_ns: int) -> None:
        self._base_ns = t_arrival_ns - t_device_ns
        self._ref_ns = t_device_ns
        drift = self.model.max_drift_ppm * 1000
        earliest = came_ns - t_arrival_ns - self._promises[0].within_ns
        offset = (float(earliest), -float(self.model.least_ns))
        self._possible = box(offset, (-drift, drift))
        self._recent.clear()
        self._recent.append((t_device_ns, came_ns))
        self._apart = 1
        self._kept = [True for _ in self._promises]
        self._doubts = 0

    def _cut_above(self, t_device_ns: int, t_arrival_ns: int) -> bool:
        """What is sent at t arrives at t + least delay or later."""
        seconds = (t_device_ns - self._ref_ns) / NS_PER_S
        possible, ref_ns = self._possible, self._ref_ns
        if seconds >= FOLD_S:
            possible, ref_ns, seconds = self._folded(seconds), t_device_ns, 0.0
        high = float(t_arrival_ns - t_device_ns - self._base_ns - self.model.least_ns)
        high += self._wander_ns(seconds)
        if possible is self._possible and high >= self._around(seconds)[1]:
            return True
        possible = clipped(possible, 1.0, seconds, high)
        if possible:
            self._possible, self._ref_ns = possible, ref_ns
        return bool(possible)

    def _folded(self, seconds: float) -> Polygon:
        """The polygon `seconds` later: the offset moved by the drift, the drift by its wander."""
        sheared_now = sheared(self._possible, seconds)
        later = widened(sheared_now, self._wander_ns(seconds), self._wander * seconds)
        drift = self.model.max_drift_ppm * 1000
        later = clipped(clipped(later, 0.0, 1.0, drift), 0.0, -1.0, drift)
        return later if len(later) <= MAX_CORNERS else simplified(later, MAX_CORNERS - 8)

    def _cut_below(self, t_device_ns: int, t_arrival_ns: int) -> None:
        """What arrives at t was sent after t - promised delay, for one at least of so many."""
        message = (t_device_ns, t_arrival_ns)
        if 0 <= t_device_ns - self._recent[-1][0] < APART_NS:
            self._recent[-1] = min(self._recent[-1], message, key=_lateness_ns)
            return
        for index, promise in self._about_several:
            due = self._apart % max(1, promise.of // 4) == 0 or not self._kept[index]
            if due and len(self._recent) >= promise.of:
                self._kept[index] = self._cut_promise(promise)
        self._recent.append(message)
        self._apart += 1

    def _cut_single(self, t_device_ns: int, t_arrival_ns: int) -> bool:
        """The promise about every single message."""
        seconds = (t_device_ns - self._ref_ns) / NS_PER_S
        within_ns = self._promises[0].within_ns
        sent = float(t_arrival_ns - within_ns - t_device_ns - self._base_ns)
        return self._cut_to(seconds, sent - self._wander_ns(seconds))

    def _cut_promise(self, promise: Promise) -> bool:
        """The promise about so many messages, of the latest."""
        half = promise.of // 2 - promise.of
        middle = (self._recent[half][0] - self._ref_ns) / NS_PER_S
        known = extent(self._possible, 1.0, middle)[0]
        low = self._low(promise, middle, known)
        return low <= known or self._cut_to(middle, low)

    def _cut_to(self, seconds: float, low: float) -> bool:
        """At `seconds` the offset is at least `low`; False where that cannot be."""
        if low <= self._around(seconds)[0]:
            return True
        possible = clipped(self._possible, -1.0, -seconds, -low)
        if possible:
            self._possible = possible
        return bool(possible)

    def _around(self, seconds: float) -> Point:
        """Least and greatest offset at `seconds` in the box around what is possible: most messages
        say nothing new, and this tells it for a fraction of cutting."""
        (x_low, x_high), (y_low, y_high) = self._boxed_now()
        a, b = seconds * y_low, seconds * y_high
        return x_low + min(a, b), x_high + max(a, b)

    def _boxed_now(self) -> tuple[Point, Point]:
        if self._boxed is not self._possible:
            self._boxed = self._possible
            self._box = extent(self._boxed, 1, 0), extent(self._boxed, 0, 1)
        return self._box

    def _low(self, promise: Promise, middle: float, known: float) -> float:
        """The offset at `middle`, under the least kind drift, if only the promptest is prompt.

        Once that is no more than what is `known`, looking further is for nothing.
        """
        slow, fast = self._boxed_now()[1]
        late_ns = promise.within_ns + self._base_ns
        low = math.inf
        # hundreds a second: one loop, no calls
        for t_device_ns, t_arrival_ns in islice(reversed(self._recent), promise.of):
            seconds = (t_device_ns - self._ref_ns) / NS_PER_S
            away = seconds - middle
            sent = float(t_arrival_ns - t_device_ns - late_ns)
            moved = fast * away if away > 0 else slow * away
            low = min(low, sent - moved - self._wander * seconds * seconds / 2)
            if low <= known:
                break
        return low

    def _wander_ns(self, seconds: float) -> float:
        """How far a changing drift may have moved the offset after `seconds`."""
        return self._wander * seconds * seconds / 2

    def _doubt(self, agrees: bool, t_device_ns: int, t_arrival_ns: int, came_ns: int) -> None:
        if agrees:
            self._doubts = 0
            return
        if self._doubts == 0:
            self._doubt_since_ns = t_arrival_ns
        self._doubts += 1
        lasted_ns = t_arrival_ns - self._doubt_since_ns
        if self._doubts >= STEP_MESSAGES and lasted_ns >= STEP_NS:
            self._restart(t_device_ns, t_arrival_ns, came_ns)

    def _restart(self, t_device_ns: int, t_arrival_ns: int, came_ns: int) -> None:
        self.steps += 1
        self._start(t_device_ns, t_arrival_ns, came_ns)


def _lateness_ns(message: tuple[int, int]) -> int:
    return message[1] - message[0]
