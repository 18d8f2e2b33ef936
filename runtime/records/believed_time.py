"""The wall clock where something becomes too old by it: believed only while nobody has set it.

A clock that is set forward would delete what is asked for longest.
"""

from __future__ import annotations

from datetime import datetime

from voxgate.runtime.common.clock import Clock

STEP_S = 3600.0  # NTP slews; more is a clock that was set
FAR_S = 30 * 86_400.0  # off for so long, a box waits for a time server before it calls things old


class BelievedTime:
    """Of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_s = self._now_offset_s()
        self._doubted = False

    def last_known(self, latest: datetime | None) -> None:
        """When something was last written down, before this process: far from that nothing is
        believed until somebody keeps the clock."""
        if latest is not None and not self._clock.is_kept:
            self._doubted |= (self._clock.utc_now() - latest).total_seconds() > FAR_S

    def utc_now(self) -> datetime | None:
        """What time it is; None: who knows."""
        self._doubted = self._doubted and not self._clock.is_kept
        stepped = abs(self._now_offset_s() - self._offset_s) > STEP_S
        return None if stepped or self._doubted else self._clock.utc_now()

    def _now_offset_s(self) -> float:
        """UTC less the monotonic clock: it changes when the time is set."""
        return self._clock.utc_now().timestamp() - self._clock.monotonic_ns() / 1e9
