"""One turn of the service: sleep until something comes or is due, then do it, in order.

Nothing in it blocks but the journal's write, which must be on disk before a verdict may be heard.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

import zmq

from voxgate.runtime.common.clock import Clock
from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Frame
from voxgate.runtime.records.chain import Event, Kind
from voxgate.runtime.records.evidence_store import Written
from voxgate.runtime.service.assembly import Assembly
from voxgate.runtime.service.doors import Doors
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.wire.published import FaultCode, offer_topic
from voxgate.runtime.wire.sockets import POSES_WAITING

CAMERA_POLL_NS = 100 * NS_PER_MS  # the supervisor's own deadlines
NAP_NS = 30 * NS_PER_MS
"""Without a job, after a pose that woke the loop the next ones may wait so long: waking for each is
most of what an idle service costs. Their arrival is stamped late by no more, so that sync.clock's
promises hold: one of eight is prompt, each comes within 50 ms."""
LOOK_MS = 2
"""In a job, between two looks for poses: one that is seen now came after the last look, however
late a busy processor lets the loop see it."""
MOST_STASHED = 128  # poses that wait for the next heartbeat: half a second at 250 a second


class Poller(Protocol):
    """What the loop needs of zmq.Poller."""

    def register(self, socket: Any, flags: int = ...) -> None: ...
    def poll(self, timeout: int | None = ...) -> list[tuple[Any, int]]: ...


class Loop:
    """Sleeps in one poll: commands, poses, subscribers, cameras, the inspection thread, signals."""

    def __init__(
        self,
        doors: Doors,
        parts: Assembly,
        wake: Wake,
        poller: Poller,
        clock: Clock,
        napping: Poller | None = None,
    ) -> None:
        """napping: another poller, for all but poses, while they may wait; None: they never do."""
        self._doors = doors
        self._parts = parts
        self._wake = wake
        self._poller = poller
        self._napping = napping
        self._now_ns = clock.monotonic_ns
        self._written: list[Written] = []  # not in the journal yet
        self._no_pose_ns: int | None = None  # when none waited, the last time that it was seen
        self._next_camera_ns = 0
        self._due_ns = 0
        self._offers = offer_topic(parts.station.cell.config.cell)
        doors.cameras.while_copying(self._stash_poses)
        sockets = doors.sockets
        for source in (sockets.commands, sockets.poses, sockets.verdicts, doors.cameras, wake):
            poller.register(source, zmq.POLLIN)
            if napping is not None and source is not sockets.poses:
                napping.register(source, zmq.POLLIN)

    def turn(self) -> None:
        """Poses, frames, what the inspector said, commands, what is due; then the heartbeat."""
        parts, sockets = self._parts, self._doors.sockets
        ready = self._wait()
        if sockets.poses in ready:
            self._take_poses()
            del ready[sockets.poses]
            now_ns = self._now_ns()
            if not ready and parts.runner.job is None and now_ns < self._due_ns:
                self._nap(min(NAP_NS, self._due_ns - now_ns))
                return
        now_ns = self._now_ns()
        if ready or self._poses_are_wanted(now_ns):
            self._settle_poses()
            now_ns = self._now_ns()
        if self._doors.cameras.fileno() in ready or now_ns >= self._next_camera_ns:
            self._take_frames(now_ns)
        if self._wake.fileno() in ready:
            self._wake.drain()
            self._take_events()
            self.tell_lost()
        if sockets.commands in ready:
            self.take_requests()
        parts.desk.tick(self._now_ns())
        parts.station.tick(self._now_ns())
        if sockets.verdicts in ready and sockets.subscribed(self._offers):
            parts.reoffer.again(self._now_ns())
        parts.pictures.tick(now_ns, parts.runner.is_deciding)
        parts.reoffer.tick(self._now_ns())
        parts.heart.tick(now_ns)
        self._due_ns = min(
            self._next_camera_ns,
            parts.heart.due_ns,
            parts.station.wake_ns(),
            parts.desk.wake_ns(),
            parts.reoffer.wake_ns(),
        )

    def take_requests(self) -> None:
        """Commands that are there."""
        for request in self._doors.sockets.take_requests():
            self._parts.desk.take(request, self._now_ns())

    def tell_lost(self) -> None:
        """Evidence that is on disk, by its digest; and what was promised and could not be written:
        a fault that stops nothing."""
        self._written += self._doors.evidence.take_written()
        with suppress(ServiceError):  # a journal that fails says so where a verdict depends on it
            while self._written:
                new = self._written[0]
                event = Event(Kind.RECORDING, new.job_id, detail=new.file, content=new.sha256)
                self._doors.journal.note(event, wait=False)
                self._written.pop(0)
        for lost in self._doors.evidence.take():
            now_ns = self._now_ns()
            self._parts.faults.tell(FaultCode.EVIDENCE, lost.detail, now_ns, lost.job_id)

    def _wait(self) -> dict[Any, int]:
        """Sleep until something comes or is due."""
        while self._parts.runner.job is not None:
            looked_ns, sleep_ms = self._now_ns(), self._sleep_ms()
            ready = dict(self._poller.poll(min(sleep_ms, LOOK_MS)))
            if self._doors.sockets.poses not in ready:
                self._no_pose_ns = looked_ns
            if ready or sleep_ms <= LOOK_MS:
                return ready
        return dict(self._poller.poll(self._sleep_ms()))

    def _sleep_ms(self) -> int:
        # a millisecond is zmq's finest: rounded up, or the last one would be a busy loop
        return max(0, -((self._now_ns() - self._due_ns) // NS_PER_MS))

    def _nap(self, longest_ns: int) -> None:
        """Until something else comes; then take the poses that came meanwhile."""
        if self._napping is None:
            return
        self._napping.poll(longest_ns // NS_PER_MS)
        self._stash_poses()

    def _take_poses(self) -> None:
        """All of them in a job, whose turns may take longer than poses come; else the one told of,
        which is cheaper."""
        if self._parts.runner.job is not None:
            self._stash_poses()
            return
        now_ns = self._now_ns()
        self._parts.intake.stash_pose(self._doors.sockets.take_pose(), now_ns)

    def _stash_poses(self) -> None:
        """All that wait: their arrival tells the robot's clock. In a job it was after the last look
        for them; naps without one are short enough to be taken for the way."""
        came, looked_ns = [], self._now_ns()
        for payload in self._doors.sockets.waiting_poses():
            came.append(payload)
            looked_ns = self._now_ns()
        now_ns = self._now_ns()  # after they were taken: no stamp is before its arrival
        awaited_ns = None if self._parts.runner.job is None else self._no_pose_ns
        for payload in came:
            self._parts.intake.stash_pose(payload, now_ns, awaited_ns)
        if len(came) < POSES_WAITING:
            self._no_pose_ns = looked_ns

    def _poses_are_wanted(self, now_ns: int) -> bool:
        """Nobody waits for one without a job, and many at once cost half."""
        parts = self._parts
        due = now_ns >= parts.heart.due_ns or parts.intake.stashed >= MOST_STASHED
        return due or parts.runner.job is not None

    def _settle_poses(self) -> None:
        for note in self._parts.intake.settle():
            self._parts.station.pose_note(note, self._now_ns())

    def _take_frames(self, now_ns: int) -> None:
        next_ns, beat_ns = now_ns + CAMERA_POLL_NS, self._parts.heart.due_ns
        # together with a heartbeat that is near: each turn costs
        self._next_camera_ns = beat_ns if abs(beat_ns - next_ns) < CAMERA_POLL_NS // 2 else next_ns
        events = self._doors.cameras.poll(now_ns)
        if events:
            self._settle_poses()  # those that came meanwhile: no frame has waited for them in vain
        for event in events:
            self._parts.station.camera_event(event, now_ns)
            if isinstance(event, Frame):
                self._parts.pictures.seen(event, now_ns)

    def _take_events(self) -> None:
        for event in self._doors.relay.take():
            self._parts.station.worker_event(event, self._now_ns())
