"""A poller for while the loop takes no poses: it asks the kernel, not ZeroMQ."""

from __future__ import annotations

import select
from typing import Any

import zmq


class Nap:
    """Waits for descriptors alone.

    That of a ZeroMQ socket is readable from when something happens to the socket until somebody
    asks it what: at times for nothing, never too late.
    """

    def __init__(self) -> None:
        self._poll = select.poll()

    def register(self, source: Any, flags: int = zmq.POLLIN) -> None:
        """A socket, or anything with a descriptor."""
        self._poll.register(source.fileno(), select.POLLIN)

    def poll(self, timeout: int | None = None) -> list[tuple[Any, int]]:
        """Until one is readable, or `timeout` ms are over."""
        return list(self._poll.poll(timeout))
