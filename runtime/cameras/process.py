"""The worker: one camera, one process, one loop. What happens here costs the parent only frames.

Started by runtime/cameras/child.py as a fresh interpreter. The loop beats in shared memory each
time it comes round, so that a driver that hangs, GIL held or not, is seen from outside.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import Protocol

from voxgate.runtime.cameras.frame_gate import FaultKind, FrameGate, SourceFault
from voxgate.runtime.cameras.link import (
    Link,
    LinkClosedError,
    Message,
    message_from_cut,
    wait_readable,
)
from voxgate.runtime.cameras.ring import Ring, RingShape, SlotLedger
from voxgate.runtime.cameras.settings import (
    CameraSettings,
    GenicamSettings,
    NetworkSettings,
    settings_from_json,
)
from voxgate.runtime.common.clock import steady_ns
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.nouns import Frame
from voxgate.runtime.wire.door.connections import CutOff

IDLE_S = 0.2  # longest sleep of the loop; a quarter of the heartbeat deadline if that is less
FAREWELL_S = 1.0
AHEAD = -5  # niceness beside the service's: three times its share of a processor


class FrameSource(Protocol):
    """Where frames come from; `take` and `wait` run in the loop, and neither may block long."""

    continuous_ids: bool
    frame_id_bits: int | None  # once it is open; None: the device does not say

    def open(self) -> str: ...
    def take(self) -> Frame | SourceFault | CutOff | None: ...
    def drain(self) -> tuple[int, int | None]: ...
    def wait(self, link_fd: int, timeout_s: float) -> None: ...
    def close(self) -> None: ...


class CameraLoop:
    """The loop: obey the parent, take a frame, check it, put it in the ring."""

    def __init__(
        self, settings: CameraSettings, link: Link, ring: Ring, source: FrameSource
    ) -> None:
        self._link = link
        self._ring = ring
        self._source = source
        self._settings = settings
        self._idle_s = min(IDLE_S, settings.heartbeat_ms / 4000)
        self._gate = FrameGate(settings)
        self._ledger = SlotLedger(settings.slots)
        self._number = 0
        self._running = True

    def run(self) -> None:
        """Until the parent says stop. Raises LinkClosedError without a parent, or CameraError."""
        self._ring.beat(steady_ns())
        detail = self._source.open()
        self._gate = FrameGate(self._settings, self._source.frame_id_bits)
        self._link.send(Message("ready", detail=detail))
        while self._running:
            self._ring.beat(steady_ns())
            for message in self._link.receive():
                self._obey(message)
            self._link.flush()
            self._step()

    def _obey(self, message: Message) -> None:
        if message.kind == "free":
            self._ledger.give_back(message.slot)
        elif message.kind == "arm":
            self._arm(message.number)
        elif message.kind == "stop":
            self._running = False

    def _arm(self, token: int) -> None:
        """What waits now was exposed before the job: it is thrown away, not lost."""
        count, last_id = self._source.drain()
        if not self._source.continuous_ids:
            self._gate.restart()
        elif last_id is not None:
            self._gate.seen(last_id)
        self._link.send(Message("armed", number=token, count=count))

    def _step(self) -> None:
        item = self._source.take()
        if item is None:
            self._source.wait(self._link.fileno(), self._idle_s)
        elif isinstance(item, SourceFault):
            self._link.send_fault(item)
        elif isinstance(item, CutOff):
            self._link.send(message_from_cut(item))
        else:
            self._deliver(item)

    def _deliver(self, frame: Frame) -> None:
        accepted, faults = self._gate.check(frame)
        for fault in faults:
            self._link.send_fault(fault)
        if not accepted:
            return
        slot = self._ledger.take()
        if slot is None:
            detail = f"frame {frame.frame_id}: no free slot, the service does not take its frames"
            self._link.send_fault(SourceFault(FaultKind.DROPPED, detail))
            return
        self._number += 1
        self._ring.write(slot, self._number, frame)
        self._link.send(Message("frame", slot=slot, number=self._number))


def main(arguments: list[str]) -> None:
    """`arguments`: settings as JSON, then the inherited files' numbers: link, ring, lifeline."""
    link_fd, ring_fd, lifeline_fd = (int(text) for text in arguments[1:])
    _die_with_parent(lifeline_fd)
    _go_ahead()
    # Ctrl-C and a service stop reach the whole group; the parent decides when a camera ends
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    settings = settings_from_json(arguments[0])
    link = Link(socket.socket(fileno=link_fd))
    ring = Ring(ring_fd, ring_shape(settings))
    sys.exit(_serve(settings, link, ring))


def ring_shape(settings: CameraSettings) -> RingShape:
    """The ring that a camera's frames fit in."""
    size = settings.width_px, settings.height_px
    return RingShape(settings.slots, *size, settings.depth, settings.colour)


def _serve(settings: CameraSettings, link: Link, ring: Ring) -> int:
    source: FrameSource | None = None
    try:
        source = _make_source(settings)
        CameraLoop(settings, link, ring, source).run()
    except LinkClosedError:
        return 1
    except VoxGateError as e:
        return _fail(link, str(e))
    except Exception as e:
        _fail(link, f"worker broke: {type(e).__name__}: {one_line(e)}")
        raise  # the trace goes to the service's log
    finally:
        if source is not None:
            source.close()
    return 0


def _fail(link: Link, detail: str) -> int:
    try:
        link.send(Message("failed", detail=detail))
        link.finish(FAREWELL_S)
    except LinkClosedError:
        pass  # nobody is left to be told
    return 1


def _make_source(settings: CameraSettings) -> FrameSource:
    """Each import is made only when chosen: it is most of the worker's start-up time."""
    if isinstance(settings.source, GenicamSettings):
        from voxgate.runtime.cameras.genicam.source import GenicamSource

        return GenicamSource(settings, settings.source)
    assert isinstance(settings.source, NetworkSettings)
    from voxgate.runtime.cameras.network import NetworkSource

    return NetworkSource(settings, settings.source)


def _die_with_parent(lifeline_fd: int) -> None:
    """Let the kernel kill this process when the parent's end of a pipe closes, however it ended.

    Works while a driver holds the GIL and while this process is stopped. PR_SET_PDEATHSIG would
    act when the *thread* that started us ends, which need not be the end of the service.
    """
    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline_fd, _F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline_fd, fcntl.F_GETFL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    if wait_readable(lifeline_fd, 0):  # it ended before we listened
        os._exit(1)


def _go_ahead() -> None:
    """Before what inspects, if the system allows it (LimitNICE= of the unit): a camera's clock is
    told by when its frames arrive, and a processor that is busy makes them late."""
    with suppress(PermissionError):
        os.nice(AHEAD)


_F_SETSIG = 10  # <linux/fcntl.h>
