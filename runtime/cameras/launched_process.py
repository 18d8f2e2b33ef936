"""A worker that runs as a user of its own, started through a socket file by who holds that user.

The box's service may not start a process as another user, so it asks: systemd accepts the
connection (systemd/voxgate-camera.socket) and starts guardian.py with it. The files that both share
travel over it. The connection is the worker's life: closed on our side the guardian kills it, on
the other it has ended.
"""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from pathlib import Path

from voxgate.runtime.cameras.link import wait_readable
from voxgate.runtime.cameras.own_process import REAP_S
from voxgate.runtime.common.text import one_line

LAUNCHER_VARIABLE = "VOXGATE_CAMERA_SOCKET"
LAUNCHER = Path("/run/voxgate-camera")  # as the units have it
PID, ENDED = "pid ", "ended "
RUNS = "still running"
STAYS = "does not end and stays behind: systemctl stop 'voxgate-camera@*'"
LOOK_S = 0.1
_SAID_BYTES = 256

_log = logging.getLogger(__name__)


class LaunchedProcess:
    """Has the parts of OwnProcess. Raises OSError when nobody listens at the socket file."""

    def __init__(self, launcher: Path, settings: str, files: tuple[int, ...], zero_ns: int) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid: int | None = None  # until it is told
        self.ending = RUNS
        self._killed_s: float | None = None
        try:
            self._connection.setblocking(False)
            self._connection.connect(str(launcher))
            socket.send_fds(self._connection, [f"{zero_ns}\n{settings}".encode()], [*files])
        except OSError as error:
            self._connection.close()
            raise OSError(error.errno, f"{launcher}: {error.strerror}") from error
        self.end_fd = self._connection.fileno()

    @property
    def alive(self) -> bool:
        while self.ending == RUNS:
            said = self._said()
            if said is not None:
                self._hear(said)
            elif self._killed_s is None or time.monotonic() < self._killed_s + REAP_S:
                return True
            else:
                self.ending = STAYS
        return False

    def kill(self) -> None:
        """The guardian hears the end of what we say, and kills it. One that a driver has stopped is
        not waited for longer than REAP_S."""
        if self._killed_s is None:
            self._killed_s = time.monotonic()
            with suppress(OSError):  # it has gone by itself
                self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Kill it if it still runs, and wait for its end."""
        self.kill()
        while self.alive:
            wait_readable(self.end_fd, LOOK_S)
        if self.ending == STAYS:
            _log.error("camera worker %s %s", self.pid, self.ending)
        self._connection.close()

    def _said(self) -> bytes | None:
        """The guardian's next words, b"" at its end; None: it says nothing now."""
        try:
            return self._connection.recv(_SAID_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _hear(self, data: bytes) -> None:
        said = data.decode(errors="replace")
        if said.startswith(PID) and said.removeprefix(PID).isdecimal():
            self.pid = int(said.removeprefix(PID))
        elif said.startswith(ENDED):
            self.ending = one_line(said.removeprefix(ENDED))
        else:
            self.ending = "ended without a word: journalctl -u 'voxgate-camera@*'"
