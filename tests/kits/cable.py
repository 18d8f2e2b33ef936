"""A cable between a peer and the box that can be pulled: no end hears that the other is gone."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import ExitStack
from pathlib import Path


class Cable:
    """Peers connect to the file `here`, the box has bound `there`; for ipc endpoints."""

    def __init__(self, here: Path, there: Path) -> None:
        self._there = str(there)
        self._open = ExitStack()
        self._listener = self._open.enter_context(socket.socket(socket.AF_UNIX))
        self._listener.bind(str(here))
        self._listener.listen()
        self._other_end: dict[socket.socket, socket.socket] = {}
        self._pulled = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        self.pull()
        self._open.close()

    def pull(self) -> None:
        """Nothing goes through any more, and nobody is told; connections stay half open."""
        self._pulled.set()
        self._thread.join()

    def _carry(self) -> None:
        while not self._pulled.is_set():
            ends = [self._listener, *self._other_end]
            for end in select.select(ends, [], [], 0.02)[0]:
                if end is self._listener:
                    self._connect()
                elif sent := end.recv(65536):
                    self._other_end[end].sendall(sent)
                else:
                    self._part(end)

    def _connect(self) -> None:
        peer = self._open.enter_context(self._listener.accept()[0])
        box = self._open.enter_context(socket.socket(socket.AF_UNIX))
        box.connect(self._there)
        self._other_end |= {peer: box, box: peer}

    def _part(self, end: socket.socket) -> None:
        other = self._other_end.pop(end)
        del self._other_end[other]
        end.close()
        other.close()
