"""What an operator's screen shows, from what the box says. Nothing but the last word is green.

A PASS stands until the next part, and only while the box is heard: a screen that has lost the box
says so instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from voxgate.runtime.remote.client import Said
from voxgate.runtime.remote.history import PastJob
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import MISSED_HEARTBEATS, HeartbeatMessage
from voxgate.runtime.wire.verdict import VerdictMessage

STRIP = 12  # parts


class Light(str, Enum):
    """What fills the screen."""

    PASS = "PASS"
    FAIL = "FAIL"
    INDETERMINATE = "INDETERMINATE"
    SCANNING = "SCANNING"
    WAITING = "WAITING"  # ready, and no part was decided since this page began
    DOWN = "DOWN"  # the box is there and cannot inspect
    SILENT = "SILENT"  # the box is not heard


@dataclass(frozen=True, slots=True)
class Decided:
    """A part of the strip."""

    job_id: str
    part: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Screen:
    """One moment. reason: why it is not PASS, "" where there is nothing to say; why: the box's own
    words about it. patience_ms: without another one for so long nothing of it is known any more.
    """

    light: Light = Light.SILENT
    part: str = ""
    job_id: str = ""
    why: str = ""
    reason: str = ""
    recipe: str = ""
    is_simulated: bool = False
    strip: tuple[Decided, ...] = ()
    patience_ms: int = 0


@dataclass(slots=True)
class Watcher:
    """Turns what is heard into what is shown."""

    cell: str
    _verdict: VerdictMessage | None = None
    _beat: HeartbeatMessage | None = None
    _strip: deque[Decided] = field(default_factory=lambda: deque(maxlen=STRIP))

    def remember(self, newest_first: Iterable[PastJob]) -> None:
        """Parts that were decided before: for the strip alone."""
        for job in reversed(list(newest_first)):
            if job.verdict is not None:
                self._strip.append(_decided(job.verdict))

    def hear(self, said: Said | None) -> Screen:
        """None: nothing was heard for three heartbeats, or what was is not understood. A verdict
        may have been missed, so the one before it stands no longer."""
        if isinstance(said, VerdictMessage):
            self._verdict = said
            self._strip.append(_decided(said))
        else:
            self._beat = said
            if said is None or (said.state is State.EXECUTING and self._is_another(said)):
                self._verdict = None
        return self.screen()

    @property
    def beat(self) -> HeartbeatMessage | None:
        """The last one; None: the box is not heard."""
        return self._beat

    def screen(self) -> Screen:
        """As it stands."""
        beat, strip = self._beat, tuple(self._strip)
        if beat is None:
            return Screen(strip=strip)
        known = Screen(
            Light.WAITING,
            recipe=beat.recipe or "",
            is_simulated=beat.is_simulated,
            strip=strip,
            patience_ms=MISSED_HEARTBEATS * beat.heartbeat_ms,
        )
        if beat.state is State.EXECUTING and self._verdict is None:
            return replace(known, light=Light.SCANNING, job_id=beat.job_id or "")
        if beat.state not in (State.READY, State.EXECUTING):
            return replace(known, light=Light.DOWN, why=beat.error or beat.state.value)
        return known if self._verdict is None else _of_verdict(self._verdict, known)

    def _is_another(self, beat: HeartbeatMessage) -> bool:
        return self._verdict is not None and beat.job_id != self._verdict.job_id


def _of_verdict(verdict: VerdictMessage, known: Screen) -> Screen:
    shown = replace(
        known,
        light=Light(verdict.outcome.value),
        part=verdict.part_id,
        job_id=verdict.job_id,
    )
    if not verdict.reasons:
        return shown
    first = verdict.reasons[0]
    return replace(shown, reason=first.reason.value, why=first.detail)


def _decided(verdict: VerdictMessage) -> Decided:
    return Decided(verdict.job_id, verdict.part_id, verdict.outcome.value)
