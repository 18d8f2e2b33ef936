"""What ends the loop's sleep from outside: a signal, or the inspection thread."""

from __future__ import annotations

import contextlib
import signal
import socket
from types import FrameType


class Wake:
    """A socket pair: `call` from any thread or signal handler, `fileno` for the poller."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self.stop = False
        self._hears_signals = False

    def call(self) -> None:
        """Make `fileno` readable."""
        # full means that the loop is woken already; closed means that it has ended
        with contextlib.suppress(OSError):
            self._write.send(b"\0")

    def fileno(self) -> int:
        """Readable after a call."""
        return self._read.fileno()

    def drain(self) -> None:
        """Sleep again."""
        with contextlib.suppress(BlockingIOError):
            while self._read.recv(4096):
                pass

    def on_signals(self) -> None:
        """SIGTERM and SIGINT set `stop` and end the sleep. Main thread only."""
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._hears_signals = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def close(self) -> None:
        """Give the sockets back."""
        if self._hears_signals:
            signal.set_wakeup_fd(-1)
        self._read.close()
        self._write.close()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.stop = True
