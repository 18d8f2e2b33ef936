"""What time it is, asked of one place that is handed down, so that tests need not wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from voxgate.runtime.common.wall_clock import utc_now


@dataclass(frozen=True, slots=True)
class Clock:
    """monotonic_ns: deadlines, stamps and durations go by it. utc_now: for stored records."""

    monotonic_ns: Callable[[], int]
    utc_now: Callable[[], datetime]


HOST_CLOCK = Clock(time.monotonic_ns, utc_now)
