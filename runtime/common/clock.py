"""What time it is, asked of one place that is handed down, so that tests need not wait for it.

Stamps go by the host's raw clock. The kernel's monotonic one is made to run faster or slower, by up
to 8 %, when a time server corrects the wall clock (adjtimex(2), chrony.conf(5) `maxslewrate`): a
device's clock cannot be matched with it while that lasts. Both stand still while the machine is
suspended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from voxgate.runtime.common.clock_quality import SYNCHRONISED, clock_quality
from voxgate.runtime.common.wall_clock import utc_now


@dataclass(frozen=True, slots=True)
class Clock:
    """monotonic_ns: deadlines, stamps and durations go by it. utc_now: for stored records.

    quality: whether somebody keeps utc_now right, for records (`common.clock_quality`).
    """

    monotonic_ns: Callable[[], int]
    utc_now: Callable[[], datetime]
    quality: Callable[[], str] = lambda: SYNCHRONISED

    @property
    def is_kept(self) -> bool:
        """Whether a time server keeps utc_now right."""
        return self.quality().startswith(SYNCHRONISED)


ZERO_VARIABLE = "VOXGATE_CLOCK_ZERO_NS"


def _zero_ns() -> int:
    """So that the raw clock reads as the monotonic one did when the service started; a camera's
    process, which may start days later, is told.
    """
    told = os.environ.get(ZERO_VARIABLE)
    if told is not None:
        return int(told)
    return time.monotonic_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


ZERO_NS = _zero_ns()


def steady_ns() -> int:
    """Host time, ns: monotonic, and never slewed."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) + ZERO_NS


HOST_CLOCK = Clock(steady_ns, utc_now, clock_quality)
