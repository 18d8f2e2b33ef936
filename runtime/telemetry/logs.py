"""How the service writes its log: one line an event, key=value, read by journald and by people."""

from __future__ import annotations

import logging
import os

PLAIN = "%(levelname)s %(name)s: %(message)s"
FOR_JOURNALD = "%(name)s: %(message)s"
PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""Of syslog(3), as sd-daemon(3) wants them before each line."""


class _Prefixed(logging.Formatter):
    """`<4>` and the like before every line: journald files them by severity."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{PRIORITIES.get(record.levelname, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def set_up(level: str) -> None:
    """Log to stderr, as journald wants it when systemd has connected us to it."""
    handler = logging.StreamHandler()
    by_systemd = bool(os.environ.get("JOURNAL_STREAM"))
    handler.setFormatter(_Prefixed(FOR_JOURNALD) if by_systemd else logging.Formatter(PLAIN))
    logging.basicConfig(level=level.upper(), handlers=[handler])
