"""The parent's handle on one worker process: its start, its end, and what they share.

The worker is a fresh interpreter with this process' import path: no fork of a process that has
threads and a GenTL library in it, no pickle, and no second run of the program's main module.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from voxgate.runtime.cameras.link import Message, link_pair
from voxgate.runtime.cameras.process import ring_shape
from voxgate.runtime.cameras.ring import Ring, ring_file
from voxgate.runtime.cameras.settings import CameraSettings, NetworkSettings, settings_to_json
from voxgate.runtime.common.clock import ZERO_NS, ZERO_VARIABLE
from voxgate.runtime.common.endpoints import remove_socket_file

_log = logging.getLogger(__name__)

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from voxgate.runtime.cameras.process import main; main(sys.argv[2:])"
)
_STDERR = 2  # drivers write to stdout, where a program's one JSON object may be expected
_REAP_S = 5.0  # a killed process that has not gone by then is stuck in the kernel


class CameraChild:
    """One running process. Made running; `close` ends it whatever state it is in.

    Raises OSError when the system gives no process, memory or descriptors.
    """

    def __init__(self, settings: CameraSettings) -> None:
        with ExitStack() as always, ExitStack() as on_failure:
            self.link, theirs = link_pair()
            on_failure.callback(self.link.close)
            always.callback(theirs.close)
            lifeline, lifeline_end = os.pipe()
            on_failure.callback(os.close, lifeline_end)
            always.callback(os.close, lifeline)
            shape = ring_shape(settings)
            ring_fd = ring_file(shape, settings.name)
            always.callback(os.close, ring_fd)
            self.ring = Ring(ring_fd, shape)
            on_failure.callback(self.ring.close)
            self._process = _spawn(settings, (theirs.fileno(), ring_fd, lifeline))
            on_failure.callback(self._end)
            # readable when the process has ended
            self.pid_fd = os.pidfd_open(self._process.pid)
            self._keep = on_failure.pop_all()  # from here on it is for `close`
        self._settings = settings

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        code = self._process.returncode
        if code is None:
            return "still running"
        return f"exit status {code}" if code >= 0 else signal.Signals(-code).name

    def kill(self) -> None:
        """SIGKILL: also ends a stopped process and one whose driver hangs."""
        self._process.kill()

    def ask_to_stop(self) -> None:
        """Raises LinkClosedError when it has already ended."""
        self.link.send(Message("stop"))

    def close(self) -> None:
        """Kill what still runs, reap it, and let the link, the ring and the pipe go."""
        self._keep.close()
        os.close(self.pid_fd)
        if isinstance(self._settings.source, NetworkSettings):
            remove_socket_file(self._settings.source.endpoint)  # a killed worker cannot

    def _end(self) -> None:
        self._process.kill()
        try:
            self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            _log.error("camera worker %d is stuck in the kernel and stays behind", self.pid)


def _spawn(settings: CameraSettings, passed: tuple[int, ...]) -> subprocess.Popen[bytes]:
    path = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109  a string is wanted
    return subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-c",
            _BOOT,
            json.dumps(path),
            settings_to_json(settings),
            *(str(fd) for fd in passed),
        ],
        stdin=subprocess.DEVNULL,
        stdout=_STDERR,
        pass_fds=passed,
        env=_environment(),
    )


def _environment() -> dict[str, str]:
    """Ours, without the GenICam cache (a killed process would block all others for ever) and
    without a pool of BLAS threads per worker; its stamps are of our clock.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GENICAM_CACHE")}
    ours = {ZERO_VARIABLE: str(ZERO_NS), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **ours}
