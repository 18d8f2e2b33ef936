"""Work that may wait: a thread that only takes the processor time nobody else wants.

Linux schedules threads, not processes, and a thread hands its policy on to those it starts: an
engine's helpers are made by the thread that opens it, so all that became idle is put back.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

TASKS = Path("/proc/self/task")
_NO_PRIORITY = os.sched_param(0)


@contextlib.contextmanager
def background() -> Iterator[None]:
    """This thread, and those it starts, behind all others; afterwards they are as before.

    Where the process may not take that back (RLIMIT_NICE below 20), nothing is changed.
    """
    if not _may_come_back():
        yield
        return
    os.sched_setscheduler(0, os.SCHED_IDLE, _NO_PRIORITY)
    try:
        yield
    finally:
        for task in TASKS.iterdir():
            with contextlib.suppress(ProcessLookupError):  # a thread that ended meanwhile
                _put_back(int(task.name))


def _put_back(thread: int) -> None:
    if os.sched_getscheduler(thread) == os.SCHED_IDLE:
        os.sched_setscheduler(thread, os.SCHED_OTHER, _NO_PRIORITY)


@functools.cache
def _may_come_back() -> bool:
    """Tried by a thread that ends at once: one that could not come back would serve too slowly."""
    came_back = []

    def there_and_back() -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, _NO_PRIORITY)
            os.sched_setscheduler(0, os.SCHED_OTHER, _NO_PRIORITY)
            came_back.append(True)

    trial = threading.Thread(target=there_and_back, name="priority")
    trial.start()
    trial.join()
    return bool(came_back)
