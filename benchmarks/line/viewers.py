"""People who look at a page, without their browsers: what those would ask for, as often."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

PERIOD_S = 0.5  # of the maintenance page's scripts
LONGEST_S = 3600.0
NICE = 10  # their machines are others


@contextmanager
def viewers(port: int, operators: int, keepers: int) -> Iterator[None]:
    """So many at the operator's screen and at the maintenance page, in a process of their own."""
    words = (str(each) for each in (port, operators, keepers))
    with subprocess.Popen([sys.executable, "-m", __name__, *words]) as process:
        try:
            yield
        finally:
            process.terminate()


def _look(port: int, operators: int, keepers: int) -> None:
    os.nice(NICE)
    for work, count in ((_follow, operators), (_maintain, keepers)):
        for _ in range(count):
            Thread(target=work, args=(port,), daemon=True).start()
    time.sleep(LONGEST_S)


def _follow(port: int) -> None:
    """An operator's screen."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/stream")
    with connection.getresponse() as stream:
        while stream.readline():
            pass


def _maintain(port: int) -> None:
    """State, and what the cameras see."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while True:
        _got(connection, "/api/state")
        for seen in json.loads(_got(connection, "/api/pictures"))["cameras"]:
            _got(connection, f"/api/pictures/{seen['camera']}/{seen['number']}")
        time.sleep(PERIOD_S)


def _got(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    with connection.getresponse() as answer:
        return answer.read()


if __name__ == "__main__":
    _look(*map(int, sys.argv[1:]))
