"""Ports that are free on this machine, in place of those a page shows."""

from __future__ import annotations

import re
import socket

from voxgate.sim.box import free_ports

__all__ = ["free_ports", "listens", "with_free_ports"]
SHOWN = re.compile(r"\b(?:556[0-6]|9464)\b")


def with_free_ports(page: str) -> str:
    """The page with other ports: another cell may run beside the test."""
    shown = sorted(set(SHOWN.findall(page)))
    free = dict(zip(shown, map(str, free_ports(len(shown))), strict=True))
    return SHOWN.sub(lambda found: free[found[0]], page)


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
