"""Stands beside one camera's worker under the camera's own user: starts it, sees it end, kills it.

    python -m voxgate.runtime.cameras.guardian

What it is to start comes over the connection that is its standard input, with the worker's files.
No driver is loaded here, so that one which hangs is killed all the same; and where the guardian
ends, systemd ends whatever else the driver has started.
"""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress

from voxgate.runtime.cameras.launched_process import ENDED, PID
from voxgate.runtime.cameras.own_process import OwnProcess

REQUEST_BYTES = 1 << 18  # settings of a camera with some hundred features
FILES = 3  # link, ring, lifeline
REQUEST_S = 10.0


def main() -> None:
    """Until the worker has ended, or who asked for it is gone."""
    connection = socket.socket(fileno=os.dup(0))
    worker = _started(connection)
    try:
        _tell(connection, f"{PID}{worker.pid}")
        _watch(connection, worker)
    finally:
        worker.close()
    _tell(connection, f"{ENDED}{worker.ending}")


def _started(connection: socket.socket) -> OwnProcess:
    connection.settimeout(REQUEST_S)
    request, files, _, _ = socket.recv_fds(connection, REQUEST_BYTES, FILES)
    zero_ns, _, settings = request.decode().partition("\n")
    try:
        return OwnProcess(settings, tuple(files), int(zero_ns))
    finally:
        for fd in files:  # the worker's alone: its end is the end of the link
            os.close(fd)


def _watch(connection: socket.socket, worker: OwnProcess) -> None:
    """Until one of both ends. Nothing more is said to us: readable means gone."""
    either = select.poll()
    either.register(connection, select.POLLIN)
    either.register(worker.end_fd, select.POLLIN)
    either.poll()


def _tell(connection: socket.socket, what: str) -> None:
    with suppress(OSError):  # nobody is left to be told
        connection.send(what.encode())


if __name__ == "__main__":
    main()
