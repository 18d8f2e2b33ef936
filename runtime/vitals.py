"""Whether every stage of the service makes progress: what systemd's watchdog is fed with.

A loop that turns proves only itself. Work that was begun must be done within its stage's patience,
and threads that serve others must be there.
"""

from __future__ import annotations

from dataclasses import dataclass

NS_PER_S = 1_000_000_000
INSPECTION_PATIENCE_NS = 60 * NS_PER_S  # a view takes 0.1 s, a slow model some seconds
PREPARATION_PATIENCE_NS = 900 * NS_PER_S  # a large engine loads from a slow disk


@dataclass(frozen=True, slots=True)
class Pulse:
    """What can be seen of the service at one moment.

    done: tasks that the inspection thread has finished; busy: whether it has one; preparing:
    whether that one is a recipe. missing: threads that should run and do not.
    """

    done: int
    busy: bool
    preparing: bool = False
    missing: tuple[str, ...] = ()


class Vitals:
    """Fed with a pulse now and then; tells what stands still."""

    def __init__(self) -> None:
        self._done = -1
        self._since_ns = 0

    def stuck(self, pulse: Pulse, now_ns: int) -> tuple[str, ...]:
        """Names of stages without progress, for people; empty: all is well."""
        if not pulse.busy or pulse.done != self._done:
            self._done, self._since_ns = pulse.done, now_ns
        patience_ns = PREPARATION_PATIENCE_NS if pulse.preparing else INSPECTION_PATIENCE_NS
        waited_ns = now_ns - self._since_ns
        if waited_ns <= patience_ns:
            return pulse.missing
        stage = "preparation" if pulse.preparing else "inspection"
        return (*pulse.missing, f"{stage} for {waited_ns // NS_PER_S} s")
