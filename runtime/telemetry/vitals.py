"""Whether every stage of the service makes progress: what systemd's watchdog is fed with.

A loop that turns proves only itself. Work that was begun must be done within its stage's patience,
and threads that serve others must be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

NS_PER_S = 1_000_000_000
INSPECTION_PATIENCE_NS = 60 * NS_PER_S  # a view takes 0.1 s, a slow model some seconds
PREPARATION_PATIENCE_NS = 900 * NS_PER_S  # a large engine loads from a slow disk
PATIENCE_NS = {"preparation": PREPARATION_PATIENCE_NS}


@dataclass(frozen=True, slots=True)
class Pulse:
    """What can be seen of one working thread at one moment.

    thread: tells it from the others; stage: what it does, for people; done: tasks it has finished;
    busy: whether it has one.
    """

    thread: int
    stage: str
    done: int
    busy: bool


class Vitals:
    """Fed with the pulses of all threads now and then; tells what stands still."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}  # thread -> tasks done, since when

    def stuck(
        self, pulses: Iterable[Pulse], now_ns: int, missing: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Names of stages without progress, for people; empty: all is well.

        missing: threads that serve others, should run and do not.
        """
        before, self._seen = self._seen, {}
        still = [*missing]
        for pulse in pulses:
            done, since_ns = before.get(pulse.thread, (-1, now_ns))
            if not pulse.busy or pulse.done != done:
                since_ns = now_ns
            self._seen[pulse.thread] = pulse.done, since_ns
            waited_ns = now_ns - since_ns
            if waited_ns > PATIENCE_NS.get(pulse.stage, INSPECTION_PATIENCE_NS):
                still.append(f"{pulse.stage} for {waited_ns // NS_PER_S} s")
        return tuple(still)
