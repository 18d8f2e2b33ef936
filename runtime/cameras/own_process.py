"""A worker as a child of this process: a fresh interpreter, its end seen and its status known.

The worker has this process' import path: no fork of a process that has threads and a GenTL library
in it, no pickle, and no second run of the program's main module.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys

from voxgate.runtime.common.clock import ZERO_VARIABLE

_log = logging.getLogger(__name__)

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from voxgate.runtime.cameras.process import main; main(sys.argv[2:])"
)
_STDERR = 2  # drivers write to stdout, where a program's one JSON object may be expected
REAP_S = 5.0  # a killed process that has not gone by then is stuck in the kernel


class OwnProcess:
    """One running worker. Raises OSError when the system gives no process.

    settings: as JSON. files: link, ring and lifeline, which it inherits. zero_ns: of our clock.
    """

    def __init__(self, settings: str, files: tuple[int, ...], zero_ns: int) -> None:
        self._process = _spawn(settings, files, zero_ns)
        try:
            self.end_fd = os.pidfd_open(self._process.pid)  # readable when it has ended
        except OSError:
            self._reap()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        code = self._process.poll()
        if code is None:
            return "still running"
        return f"exit status {code}" if code >= 0 else signal.Signals(-code).name

    def kill(self) -> None:
        """SIGKILL: also ends a stopped process and one whose driver hangs."""
        self._process.kill()

    def close(self) -> None:
        """Kill it if it still runs, and reap it."""
        self._reap()
        os.close(self.end_fd)

    def _reap(self) -> None:
        self._process.kill()
        try:
            self._process.wait(REAP_S)
        except subprocess.TimeoutExpired:
            _log.error("camera worker %d is stuck in the kernel and stays behind", self.pid)


def _spawn(settings: str, files: tuple[int, ...], zero_ns: int) -> subprocess.Popen[bytes]:
    path = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109  a string is wanted
    return subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-c",
            _BOOT,
            json.dumps(path),
            settings,
            *(str(fd) for fd in files),
        ],
        stdin=subprocess.DEVNULL,
        stdout=_STDERR,
        pass_fds=files,
        env=_environment(zero_ns),
    )


def _environment(zero_ns: int) -> dict[str, str]:
    """Ours, without the GenICam cache (a killed process would block all others for ever) and
    without a pool of BLAS threads per worker; its stamps are of our clock.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GENICAM_CACHE")}
    ours = {ZERO_VARIABLE: str(zero_ns), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **ours}
