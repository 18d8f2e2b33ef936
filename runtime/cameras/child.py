"""The parent's handle on one worker: its start, its end, and what they share."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from voxgate.runtime.cameras.launched_process import LaunchedProcess
from voxgate.runtime.cameras.link import Message, link_pair
from voxgate.runtime.cameras.own_process import OwnProcess
from voxgate.runtime.cameras.process import ring_shape
from voxgate.runtime.cameras.ring import Ring, ring_file
from voxgate.runtime.cameras.settings import CameraSettings, NetworkSettings, settings_to_json
from voxgate.runtime.common.clock import ZERO_NS
from voxgate.runtime.common.endpoints import remove_socket_file


class CameraChild:
    """One running process. Made running; `close` ends it whatever state it is in.

    launcher: the socket file through which a camera's driver gets a user of its own; None: it has
    ours. Raises OSError when the system gives no process, memory or descriptors.
    """

    def __init__(self, settings: CameraSettings, launcher: Path | None = None) -> None:
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
            self._process = _started(settings, launcher, (theirs.fileno(), ring_fd, lifeline))
            on_failure.callback(self._process.close)
            self._keep = on_failure.pop_all()  # from here on it is for `close`
        self._settings = settings

    @property
    def pid(self) -> int | None:
        """None: not told yet, of one that others started."""
        return self._process.pid

    @property
    def end_fd(self) -> int:
        """Readable when it has ended, or tells of itself (`alive` reads)."""
        return self._process.end_fd

    @property
    def alive(self) -> bool:
        return self._process.alive

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        return self._process.ending

    def kill(self) -> None:
        """Ends a stopped process and one whose driver hangs, too."""
        self._process.kill()

    def ask_to_stop(self) -> None:
        """Raises LinkClosedError when it has already ended."""
        self.link.send(Message("stop"))

    def close(self) -> None:
        """Kill what still runs, reap it, and let the link, the ring and the pipe go."""
        self._keep.close()
        if isinstance(self._settings.source, NetworkSettings):
            remove_socket_file(self._settings.source.endpoint)  # a killed worker cannot


def _started(
    settings: CameraSettings, launcher: Path | None, files: tuple[int, ...]
) -> OwnProcess | LaunchedProcess:
    """Frames over a socket are read by our own code, by the box's key: no driver, no other user."""
    told = settings_to_json(settings)
    if launcher is None or isinstance(settings.source, NetworkSettings):
        return OwnProcess(told, files, ZERO_NS)
    return LaunchedProcess(launcher, told, files, ZERO_NS)
