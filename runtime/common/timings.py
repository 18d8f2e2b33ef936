"""Where the time of a job goes, as plain numbers: the clock comes in as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

NS_PER_MS = 1_000_000
FOREVER_NS = 1 << 62  # later than any moment of the monotonic clock


class Work(str, Enum):
    """What the inspector does, in its order; the names are labels of the stage histogram."""

    REDUCE = "reduce"  # once a view: to the recipe's resolution
    ALIGN = "align"  # once a part
    REGISTER = "register"  # once a view, as the four below
    JUDGE = "judge"  # how far the surface is off, beside the engine
    DESCRIBE = "describe"  # what the model gets beside the picture: shape descriptors, voxels
    ENGINE = "engine"  # for a volume detector once a part
    FUSE = "fuse"
    DRIFT = "drift"  # once a view and once a part
    COVERAGE = "coverage"  # once a part
    SEGMENT = "segment"  # once a part


@dataclass(frozen=True, slots=True)
class Timing:
    """One passage through one piece of work."""

    work: Work
    took_ns: int


class Stopwatch:
    """Times pieces of work by `now_ns`, a monotonic clock; taken by one thread, which waits for
    those that it has work done beside it."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._timings: list[Timing] = []

    @contextmanager
    def time(self, work: Work) -> Iterator[None]:
        """Time what is done inside, also when it raises."""
        begun_ns = self._now_ns()
        try:
            yield
        finally:
            self._timings.append(Timing(work, self._now_ns() - begun_ns))

    def take(self) -> tuple[Timing, ...]:
        """What was timed since the last call, in order."""
        taken = tuple(self._timings)
        self._timings.clear()
        return taken


@dataclass(slots=True)
class JobTimes:
    """The times of one job, for its verdict's `timing_ms`."""

    inspect_ns: list[int] = field(default_factory=list)  # one per view
    work_ns: dict[Work, list[int]] = field(default_factory=dict)

    def add(self, timings: Sequence[Timing]) -> None:
        """Take what the inspector timed."""
        for timing in timings:
            self.work_ns.setdefault(timing.work, []).append(timing.took_ns)

    def in_ms(self) -> dict[str, float]:
        """Totals, the slowest view, and of work that comes with every view the last one's time.

        The last one is what a robot waits for after its last exposure.
        """
        in_ms: dict[str, float] = {}
        if self.inspect_ns:
            in_ms["inspect_max"] = max(self.inspect_ns) / NS_PER_MS
            in_ms["inspect_total"] = sum(self.inspect_ns) / NS_PER_MS
        for work, took_ns in self.work_ns.items():
            in_ms[f"{work.value}_total"] = sum(took_ns) / NS_PER_MS
            if len(took_ns) > 1:
                in_ms[f"{work.value}_last"] = took_ns[-1] / NS_PER_MS
        return in_ms
