"""Services forked from one process that has imported them: 0.1 s of a core for each, not 1.5 s.

`python -m tests.kits.forked_service` is that process. It reads requests, one JSON object a line,
and answers each with one: a service's pid, or its exit code once it has ended.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.kits import scripted_cell
from tests.kits.repository import ROOT

POLL_S = 0.01


@dataclass(slots=True)
class ForkedService:
    """A service that runs: the part of subprocess.Popen that the tests use."""

    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, -N when signal N ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = _nursery().ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout_s: float) -> int:
        """The exit code; raises subprocess.TimeoutExpired as Popen does."""
        deadline = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout_s)
            time.sleep(POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing when it has ended: its pid may be another's by now."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """What cannot be caught."""
        self.send_signal(9)


def fork_service(config: Path, script: str, log: Path) -> ForkedService:
    """Start a scripted cell with the environment of now; what it says goes to `log`."""
    arguments = [str(config), script]
    pid = _nursery().ask(arguments=arguments, log=str(log), environment=dict(os.environ))
    assert pid is not None
    return ForkedService(pid)


class _Nursery:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kits.forked_service"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self._end)

    def ask(self, **request: Any) -> int | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer: int | None = json.loads(self._process.stdout.readline())
        return answer

    def _end(self) -> None:
        self._process.communicate()


@cache
def _nursery() -> _Nursery:
    return _Nursery()


# --- the process that forks ----------------------------------------------------------------------


def main() -> int:
    """Serve requests until there are no more; in a forked service, its exit code."""
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            answer = _ended(request["poll"])
        else:
            answer = os.fork()
            if answer == 0:
                return _serve(**request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _serve(arguments: list[str], log: str, environment: dict[str, str]) -> int:
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for here, there in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(here, there)
    os.closerange(3, max(nothing, said) + 1)
    sys.argv[1:] = arguments
    return scripted_cell.main()


if __name__ == "__main__":
    sys.exit(main())
