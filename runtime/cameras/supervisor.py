"""All cameras of a cell, from the service's side: frames and faults, and no camera is waited for.

`poll` never blocks. A worker that hangs or dies is killed, counted and replaced; what it had put
into the ring before is still delivered, what it had not is a fault.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from voxgate.runtime.cameras.life import CameraCounters, CameraFault, CameraLife, CameraStatus
from voxgate.runtime.cameras.settings import CameraSettings
from voxgate.runtime.common.clock import steady_ns
from voxgate.runtime.errors import CameraError
from voxgate.runtime.nouns import Frame
from voxgate.runtime.wire.door.connections import CutOff

__all__ = ["CameraCounters", "CameraFault", "CameraStatus", "CameraSupervisor"]

STOP_S = 2.0  # a camera that is asked to stop gets this long to release its device


class CameraSupervisor:
    """Use from one thread. `with` starts the workers and ends them.

    launcher: see CameraChild.
    """

    def __init__(self, settings: Sequence[CameraSettings], launcher: Path | None = None) -> None:
        names = [camera.name for camera in settings]
        if len(set(names)) < len(names):
            raise CameraError(f"each camera needs a name of its own, got {names}")
        self._epoll = select.epoll()
        self._cameras = {
            camera.name: CameraLife(camera, self._epoll, launcher) for camera in settings
        }

    def __enter__(self) -> CameraSupervisor:
        self.start(steady_ns())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, now_ns: int) -> None:
        """Start every worker and return at once; `ready` says when all stream."""
        for camera in self._cameras.values():
            camera.poll(now_ns)

    def while_copying(self, meanwhile: Callable[[], None]) -> None:
        """Have this done again and again while `poll` copies large frames."""
        for camera in self._cameras.values():
            camera.meanwhile = meanwhile

    def fileno(self) -> int:
        """One descriptor for all cameras and all restarts; readable: `poll` has work."""
        return self._epoll.fileno()

    def poll(self, now_ns: int) -> list[Frame | CameraFault]:
        """What has come since the last call. Call when readable and every 100 ms besides."""
        events: list[Frame | CameraFault] = []
        for camera in self._cameras.values():
            events += camera.poll(now_ns)
        return events

    def take_cut(self) -> list[CutOff]:
        """Peers of all cameras' sockets that were cut off since the last call."""
        return [cut for camera in self._cameras.values() for cut in camera.take_cut()]

    @property
    def ready(self) -> bool:
        """Every camera is open and streams."""
        return all(camera.ready for camera in self._cameras.values())

    def arm(self, now_ns: int) -> None:
        """A job starts: every worker throws away what waits, and says so (`armed`)."""
        for camera in self._cameras.values():
            camera.arm(now_ns)

    @property
    def armed(self) -> bool:
        """Since the last `arm`, every worker has drained; frames are of this job from here on."""
        return all(camera.armed for camera in self._cameras.values())

    def reset(self, now_ns: int) -> None:
        """A person has looked: cameras that were given up, or wait for a restart, start now."""
        for camera in self._cameras.values():
            camera.rule.reset(now_ns)

    def counters(self, name: str) -> CameraCounters:
        return self._cameras[name].counters()

    def status(self, name: str) -> CameraStatus:
        return self._cameras[name].status()

    def close(self) -> None:
        """End every worker: asked first, killed after STOP_S. Nothing is left behind."""
        for camera in self._cameras.values():
            camera.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for camera in self._cameras.values():
            camera.close(deadline)
        self._epoll.close()
