"""Tell systemd how it goes (sd_notify(3)); without systemd this does nothing."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


def sd_notify(message: str) -> None:
    """Send such as `READY=1`, `STATUS=...`, `STOPPING=1` to the supervisor that started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(message.encode(), address)
        except OSError as error:
            log.warning("systemd does not listen: %s", error)


class Notifier:
    """READY once, STATUS when it changes, WATCHDOG as often as it is told that all is alive."""

    def __init__(self) -> None:
        self._ready = False
        self._status = ""

    def tell(self, *, ready: bool, alive: bool, status: str) -> None:
        """status: one line for `systemctl status`."""
        lines = []
        if ready and not self._ready:
            self._ready = True
            lines.append("READY=1")
        if status != self._status:
            self._status = status
            lines.append(f"STATUS={' '.join(status.split())}")
        if alive:
            lines.append("WATCHDOG=1")
        if lines:
            sd_notify("\n".join(lines))
