"""Ports that are free on this machine, in place of those a page shows."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack

SHOWN = re.compile(r"\b(?:556[0-3]|9464)\b")


def with_free_ports(page: str) -> str:
    """The page with other ports: another cell may run beside the test."""
    shown = sorted(set(SHOWN.findall(page)))
    free = dict(zip(shown, map(str, free_ports(len(shown))), strict=True))
    return SHOWN.sub(lambda found: free[found[0]], page)


def free_ports(count: int) -> list[int]:
    """So many that nobody has now."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
