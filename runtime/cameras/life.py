"""One camera through all its workers: started, heard, killed, buried and started again."""

from __future__ import annotations

import select
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.cameras.child import CameraChild
from voxgate.runtime.cameras.frame_gate import REASONS, FaultKind
from voxgate.runtime.cameras.link import (
    LinkBrokenError,
    LinkClosedError,
    Message,
    cut_from_message,
    fault_from_message,
    wait_readable,
)
from voxgate.runtime.cameras.restart_rule import MS, Order, Phase, RestartRule, Sighting
from voxgate.runtime.cameras.ring import RingError
from voxgate.runtime.cameras.settings import CameraSettings
from voxgate.runtime.nouns import Device, Frame, Note, Reason
from voxgate.runtime.wire.door.connections import CutOff

MOST_CUT = 100  # that nobody has asked for yet


@dataclass(frozen=True, slots=True)
class CameraFault:
    """Something a job cannot be PASS with: `count` frames affected, or a camera lost."""

    camera: str
    note: Note
    count: int = 1


@dataclass(frozen=True, slots=True)
class CameraCounters:
    """Since the supervisor was made; never reset, so that a metric can be their copy."""

    received: int
    stale: int  # came before the job was armed
    lost: int  # by gaps in the frame id
    incomplete: int
    invalid: int
    aged: int
    dropped: int  # ring full
    unsynced: int
    no_depth: int
    restarts: int


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Where a camera stands; `detail` is what it opened, or why it is down.

    lost: how its worker ended last, empty once it streams: stays while the next one starts.
    """

    phase: Phase
    pid: int | None
    detail: str
    lost: str = ""


class CameraLife:
    """One camera through all its workers; what it sends ends up in `poll`.

    meanwhile: called again and again while a frame is copied.
    """

    def __init__(
        self, settings: CameraSettings, epoll: select.epoll, launcher: Path | None = None
    ) -> None:
        self.rule = RestartRule(settings)
        self.meanwhile: Callable[[], None] = lambda: None
        self._settings = settings
        self._from = settings.name, Device(settings.device)
        self._epoll = epoll
        self._launcher = launcher
        self._worker: CameraChild | None = None
        self._linked = False
        self._ready = False
        self._broke = False
        self._detail = ""
        self._failure = ""
        self._lost = ""
        self._frame_ns = 0
        self._token = 0
        self._armed_token = 0
        self._counts: Counter[str] = Counter()
        self._events: list[Frame | CameraFault] = []
        self._cut: deque[CutOff] = deque(maxlen=MOST_CUT)

    @property
    def ready(self) -> bool:
        return self._ready

    @property
    def armed(self) -> bool:
        return self._ready and self._armed_token == self._token

    def counters(self) -> CameraCounters:
        kinds = {kind.value: self._counts[kind.value] for kind in FaultKind}
        return CameraCounters(
            received=self._counts["received"],
            stale=self._counts["stale"],
            restarts=self._counts["restarts"],
            **kinds,
        )

    def status(self) -> CameraStatus:
        pid = self._worker.pid if self._worker is not None else None
        return CameraStatus(self.rule.phase, pid, self._failure or self._detail, self._lost)

    def poll(self, now_ns: int) -> list[Frame | CameraFault]:
        self._take_messages(now_ns)
        order = self.rule.decide(now_ns, self._sighting())
        if order is Order.SPAWN:
            self._spawn()
        elif order is Order.KILL and self._worker is not None:
            self._ready = False
            self._worker.kill()
        elif order is Order.BURY:
            self._bury(now_ns)
        events, self._events = self._events, []
        return events

    def take_cut(self) -> list[CutOff]:
        """Who was cut off since the last call for what he sent instead of frames."""
        return [self._cut.popleft() for _ in range(len(self._cut))]

    def arm(self, now_ns: int) -> None:
        self._token += 1
        # what lies in the ring was exposed before: it goes with the frames before `armed`
        self._send(Message("arm", number=self._token))

    def ask_to_stop(self) -> None:
        self._send(Message("stop"))

    def close(self, deadline: float) -> None:
        """Wait for the worker's end until `deadline` (time.monotonic), then kill it."""
        if self._worker is None:
            return
        while self._worker.alive and (left_s := deadline - time.monotonic()) > 0:
            wait_readable(self._worker.end_fd, left_s)
        self._part(self._worker)

    def _sighting(self) -> Sighting:
        if self._worker is None:
            return Sighting(alive=False, ready=False)
        beat_ns = self._worker.ring.last_beat_ns
        return Sighting(self._worker.alive, self._ready, beat_ns, self._frame_ns)

    def _spawn(self) -> None:
        self._failure, self._broke = "", False
        try:
            self._worker = CameraChild(self._settings, self._launcher)
        except OSError as e:
            self._failure = f"no worker could be started: {e}"
            return
        self._linked = True
        self._epoll.register(self._worker.link.fileno(), select.EPOLLIN)
        self._epoll.register(self._worker.end_fd, select.EPOLLIN)

    def _bury(self, now_ns: int) -> None:
        """The process is gone, or never came; what it sent before counts."""
        self._take_messages(now_ns)
        why = self._failure
        if self._worker is not None:
            why = why or f"{self.rule.why} ({self._worker.ending})"
            self._part(self._worker)
        self._counts["restarts"] += 1
        if self.rule.phase is Phase.GIVEN_UP:
            then = f"given up after {self._settings.restarts} restarts: mend it, then send reset"
        else:
            due_ns = self.rule.next_start_ns or now_ns
            then = f"new worker in {(due_ns - now_ns) // MS} ms"
        self._lost = f"camera {self._settings.name} lost: {why}"
        self._failure = f"{self._lost}; {then}"
        self._events.append(
            CameraFault(self._settings.name, Note(Reason.CAMERA_LOST, self._failure))
        )

    def _part(self, worker: CameraChild) -> None:
        """Close the worker; it is dead or will be killed."""
        self._worker = None
        self._unlink(worker)
        self._epoll.unregister(worker.end_fd)
        worker.close()
        self._ready = False

    def _unlink(self, worker: CameraChild) -> None:
        if self._linked:
            self._epoll.unregister(worker.link.fileno())
            self._linked = False

    def _send(self, message: Message) -> None:
        if self._worker is None or not self._linked:
            return
        try:
            self._worker.link.send(message)
        except LinkClosedError:
            self._unlink(self._worker)

    def _take_messages(self, now_ns: int) -> None:
        worker = self._worker
        if worker is None or not self._linked:
            return
        try:
            messages = worker.link.receive()
        except LinkBrokenError as e:
            self._broken(worker, f"worker broke the link: {e}")
            return
        except LinkClosedError:
            self._unlink(worker)
            return
        for message in messages:
            if not self._broke:  # one that has died is heard to the end
                self._take(worker, message, now_ns)

    def _take(self, worker: CameraChild, message: Message, now_ns: int) -> None:
        if message.kind == "frame":
            self._take_frame(worker, message, now_ns)
        elif message.kind == "fault":
            self._take_fault(message)
        elif message.kind == "armed":
            self._armed_token = message.number
            self._counts["stale"] += message.count
        elif message.kind == "ready":
            self._ready, self._detail, self._lost = True, message.detail, ""
            if self._armed_token != self._token:
                self._send(Message("arm", number=self._token))
        elif message.kind == "cut":
            self._cut.append(cut_from_message(message))
        elif message.kind == "failed":
            self._failure = message.detail

    def _take_frame(self, worker: CameraChild, message: Message, now_ns: int) -> None:
        self._frame_ns = now_ns
        if not self.armed:
            self._counts["stale"] += 1
            self._send(Message("free", slot=message.slot))
            return
        try:
            slot, number = message.slot, message.number
            frame = worker.ring.read(slot, number, *self._from, self.meanwhile)
        except (RingError, ValueError) as e:
            self._broken(worker, f"worker broke the ring: {e}")
            return
        self._counts["received"] += 1
        self._events.append(frame)
        self._send(Message("free", slot=message.slot))

    def _broken(self, worker: CameraChild, why: str) -> None:
        """It is not ours any more: at once a fault, whenever its process ends."""
        self._ready, self._broke, self._failure = False, True, why
        note = Note(Reason.CAMERA_LOST, f"camera {self._settings.name} lost: {why}")
        self._events.append(CameraFault(self._settings.name, note))
        self._unlink(worker)
        worker.kill()

    def _take_fault(self, message: Message) -> None:
        fault = fault_from_message(message)
        self._counts[fault.kind.value] += fault.count
        note = Note(REASONS[fault.kind], f"camera {self._settings.name}: {fault.detail}")
        self._events.append(CameraFault(self._settings.name, note, fault.count))
