"""How the service writes its log: one line an event, key=value, read by journald and by people.

Nothing that somebody else said breaks a line or steers a terminal, and no line is written so often
that it fills the disk.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from voxgate.runtime.common.text import legible

PLAIN = "%(levelname)s %(name)s: %(message)s"
FOR_JOURNALD = "%(name)s: %(message)s"
PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""Of syslog(3), as sd-daemon(3) wants them before each line."""
BURST, PER_S = 50, 10.0  # of one place in the code
TRACES, TRACES_PER_S = 10, 0.1  # of those with a traceback, of some kilobytes each


class _Legible(logging.Formatter):
    """Each event on a line of its own, a traceback's lines behind it."""

    def __init__(self, form: str, prefixed: bool) -> None:
        super().__init__(form)
        self._prefixed = prefixed

    def format(self, record: logging.LogRecord) -> str:
        record.message = legible(record.getMessage())
        lines = [self.formatMessage(record)]
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            lines += [f"| {legible(line)}" for line in trace]
        prefix = f"<{PRIORITIES.get(record.levelname, 6)}>" if self._prefixed else ""
        return "\n".join(prefix + line for line in lines)


@dataclass(slots=True)
class _Left:
    """What one place in the code may still write."""

    lines: float
    seen_s: float
    withheld: int = 0


class Sparing(logging.Filter):
    """Lets so many lines of each place in the code through, and says how many it kept back."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._places: dict[tuple[str, int, bool], _Left] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        traced = bool(record.exc_info)
        most, per_s = (TRACES, TRACES_PER_S) if traced else (BURST, PER_S)
        now_s = self._now_s()
        left = self._places.setdefault((record.name, record.lineno, traced), _Left(most, now_s))
        left.lines = min(most, left.lines + (now_s - left.seen_s) * per_s)
        left.seen_s = now_s
        if left.lines < 1:
            left.withheld += 1
            return False
        left.lines -= 1
        if left.withheld:
            record.msg = f"{record.getMessage()} ({left.withheld} such lines were not written)"
            record.args, left.withheld = (), 0
        return True


def set_up(level: str) -> None:
    """Log to stderr, as journald wants it when systemd has connected us to it."""
    handler = logging.StreamHandler()
    by_systemd = bool(os.environ.get("JOURNAL_STREAM"))
    handler.setFormatter(_Legible(FOR_JOURNALD if by_systemd else PLAIN, by_systemd))
    handler.addFilter(Sparing())
    logging.basicConfig(level=level.upper(), handlers=[handler])
