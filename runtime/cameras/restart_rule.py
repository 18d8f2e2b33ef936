"""When a camera worker is started, killed, replaced or given up: decisions only, no process here.

A hung camera driver cannot be talked out of it (harvesters #371, #431): the only cure that works is
the end of its process and a new one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from voxgate.runtime.cameras.settings import CameraSettings

MS = 1_000_000


class Phase(str, Enum):
    """Where a worker's life stands."""

    DOWN = "down"  # no process; the next start is due at some time
    STARTING = "starting"  # process runs, camera not yet open
    RUNNING = "running"
    DYING = "dying"  # killed, not yet gone
    GIVEN_UP = "given_up"  # too many restarts; waits for a person


class Order(str, Enum):
    """What the supervisor has to do now."""

    NOTHING = "nothing"
    SPAWN = "spawn"
    KILL = "kill"
    BURY = "bury"  # the process is gone: take its frames, close, report


@dataclass(frozen=True, slots=True)
class Sighting:
    """What can be seen of a worker from outside. Times are host monotonic; 0 is "not yet"."""

    alive: bool
    ready: bool
    beat_ns: int = 0
    frame_ns: int = 0


class RestartRule:
    """The life of one worker, from the times alone."""

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._starts: deque[int] = deque(maxlen=settings.restarts + 1)
        self._failures = 0
        self._since_ns = 0  # start of the present phase
        self._due_ns = 0
        self._looked_ns = 0
        self._excused_ns = 0
        self.phase = Phase.DOWN
        self.why = ""

    def reset(self, now_ns: int) -> None:
        """A person looked at the camera: forget the failures and start it at once if it is down."""
        self._starts.clear()
        self._failures = 0
        if self.phase in (Phase.GIVEN_UP, Phase.DOWN):
            self.phase, self._due_ns = Phase.DOWN, now_ns

    def decide(self, now_ns: int, seen: Sighting) -> Order:
        """The next step; each KILL and BURY leaves its reason in `why`."""
        self._excuse(now_ns)
        if self.phase is Phase.GIVEN_UP:
            return Order.NOTHING
        if self.phase is Phase.DOWN:
            return self._start(now_ns)
        if not seen.alive:
            return self._bury(now_ns)
        if self.phase is Phase.DYING:
            return Order.NOTHING
        if self.phase is Phase.STARTING and seen.ready:
            self._enter(Phase.RUNNING, now_ns)
        return self._watch(now_ns, seen)

    @property
    def next_start_ns(self) -> int | None:
        """When the next worker is due, host monotonic, or None while none is."""
        return self._due_ns if self.phase is Phase.DOWN else None

    def _start(self, now_ns: int) -> Order:
        if now_ns < self._due_ns:
            return Order.NOTHING
        self._starts.append(now_ns)
        self._enter(Phase.STARTING, now_ns)
        self.why = ""
        return Order.SPAWN

    def _watch(self, now_ns: int, seen: Sighting) -> Order:
        if self.phase is Phase.STARTING:
            return self._limit(now_ns, self._since_ns, self._settings.start_ms, "was not ready")
        floor_ns = max(self._since_ns, self._excused_ns)
        beat_ns = max(seen.beat_ns, floor_ns)
        order = self._limit(now_ns, beat_ns, self._settings.heartbeat_ms, "stood still")
        if order is Order.NOTHING and self._settings.silence_ms is not None:
            frame_ns = max(seen.frame_ns, floor_ns)
            order = self._limit(now_ns, frame_ns, self._settings.silence_ms, "sent no frame")
        return order

    def _excuse(self, now_ns: int) -> None:
        """Who was away himself does not judge: a machine that was paused stopped the worker too."""
        if now_ns - self._looked_ns > self._settings.heartbeat_ms * MS // 2:
            self._excused_ns = now_ns
        self._looked_ns = now_ns

    def _limit(self, now_ns: int, since_ns: int, limit_ms: int, what: str) -> Order:
        if now_ns - since_ns <= limit_ms * MS:
            return Order.NOTHING
        self.why = f"worker {what} for {limit_ms} ms and was killed"
        self._enter(Phase.DYING, now_ns)
        return Order.KILL

    def _bury(self, now_ns: int) -> Order:
        lived_ns = now_ns - self._since_ns if self.phase is Phase.RUNNING else 0
        stable = lived_ns > self._settings.backoff_max_ms * MS
        self._failures = 1 if stable else self._failures + 1
        self.why = self.why or "worker ended by itself"
        if self._spent(now_ns):
            self._enter(Phase.GIVEN_UP, now_ns)
        else:
            self._due_ns = now_ns + self._delay_ns()
            self._enter(Phase.DOWN, now_ns)
        return Order.BURY

    def _delay_ns(self) -> int:
        # the exponent is bounded before the shift: the counter is not
        delay_ms = self._settings.backoff_ms << min(self._failures - 1, 16)
        return min(delay_ms, self._settings.backoff_max_ms) * MS

    def _spent(self, now_ns: int) -> bool:
        window_ns = self._settings.restart_window_s * 1_000_000_000
        recent = [start for start in self._starts if now_ns - start <= window_ns]
        return len(recent) > self._settings.restarts

    def _enter(self, phase: Phase, now_ns: int) -> None:
        self.phase, self._since_ns = phase, now_ns
