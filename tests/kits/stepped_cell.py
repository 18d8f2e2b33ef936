"""A whole service on a clock that the test turns: nothing sleeps, nothing is waited for.

Stand-ins are the lowest layer only: sockets that are deques, a camera whose messages are read by
the real reader and gate, an inspection thread whose tasks are done when their time has come. Loop,
desk, station, job runner, journal and clocks are those of the line.
"""

from __future__ import annotations

import heapq
import itertools
import json
import select
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import zmq

from tests.kits.cell_kit import HEIGHT_PX, WIDTH_PX, write_cell
from tests.kits.robot_kit import (
    CAMERA_OFFSET_NS,
    COLD_CLOCK_S,
    EXPOSURE_NS,
    POSE_PERIOD_S,
    READOUT_NS,
    ROBOT_OFFSET_NS,
)
from tests.kits.scripted_cell import Script, scripted
from voxgate.runtime.cameras.frame_gate import REASONS, FaultKind, FrameGate, SourceFault
from voxgate.runtime.cameras.from_config import camera_settings, load_calibrations
from voxgate.runtime.cameras.life import CameraCounters, CameraFault, CameraStatus
from voxgate.runtime.cameras.network import frame_from_message
from voxgate.runtime.cameras.restart_rule import Phase
from voxgate.runtime.cameras.settings import CameraSettings
from voxgate.runtime.common.clock import Clock
from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.jobs.events import InspectionEvent
from voxgate.runtime.jobs.inspection_thread import InspectionThread
from voxgate.runtime.jobs.part_inspector import Prepare
from voxgate.runtime.jobs.relay import Relay
from voxgate.runtime.nouns import Frame, Note, Reason
from voxgate.runtime.records.chain import THE_BOX
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.records.no_evidence import NoEvidence
from voxgate.runtime.service.doors import Doors
from voxgate.runtime.service.service import Service
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.commands import CommandMessage, GetState, StartJob
from voxgate.runtime.wire.door.connections import CutOff
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.poses import PoseMessage
from voxgate.runtime.wire.replies import Done, Reply, StateReply, parse_reply
from voxgate.runtime.wire.sockets import Envelope, Request
from voxgate.runtime.wire.verdict import VerdictMessage

START_NS = 10**12
NS_PER_S = 1_000_000_000
CAMERAS_FD = 10**6  # no descriptor of a process
STRIP_NS = 2_000_000  # copied at a time
TURN_NS = 1000  # one turn of the loop takes its time too
JITTER_NS = 20_000  # of delays that are all alike every one would be a bound to compute with


class Time:
    """What time it is, and what will happen when."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.wall_offset = timedelta()
        self.clock = Clock(lambda: self.now_ns, self._utc_now)
        self._actions: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, t_ns: int, action: Callable[[], None]) -> None:
        """Have `action` done at `t_ns`."""
        heapq.heappush(self._actions, (t_ns, next(self._order), action))

    def sleep_until(self, t_ns: int) -> None:
        """Go on to the next action, or to `t_ns` if nothing happens before."""
        if not self._actions or self._actions[0][0] > t_ns:
            self.now_ns = max(self.now_ns, t_ns)
            return
        due_ns, _, action = heapq.heappop(self._actions)
        self.now_ns = max(self.now_ns, due_ns)
        action()

    def _utc_now(self) -> datetime:
        gone = timedelta(microseconds=(self.now_ns - START_NS) / 1000)
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + gone + self.wall_offset


class Sockets:
    """What robots send and hear, without a wire."""

    commands, poses, verdicts = "commands", "poses", "verdicts"

    def __init__(self) -> None:
        self.sent: deque[bytes] = deque()
        self.asked: deque[Request] = deque()
        self.replies: deque[Reply] = deque()
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.looked_at = False
        self.shown: list[dict[str, Any]] = []

    def take_pose(self) -> bytes:
        return self.sent.popleft()

    def waiting_poses(self) -> Iterator[bytes]:
        while self.sent:
            yield self.take_pose()

    def take_requests(self) -> Iterator[Request]:
        while self.asked:
            yield self.asked.popleft()

    def subscribed(self, topic: bytes) -> bool:
        return False

    def reply(self, envelope: Envelope, payload: bytes) -> bool:
        self.replies.append(parse_reply(payload))
        return True

    def take_cut(self) -> list[CutOff]:
        return []

    def is_looked_at(self, topic: bytes) -> bool:
        return self.looked_at

    def show(self, topic: bytes, payload: bytes) -> None:
        self.shown.append(json.loads(payload))

    def publish(self, topic: bytes, payload: bytes) -> None:
        self.heard.append((topic.decode(), json.loads(payload)))


class Cameras:
    """One camera whose worker lives in this process; `status_of` and `events` are for the test."""

    def __init__(self, settings: CameraSettings, time: Time) -> None:
        self._settings = settings
        self._time = time
        self._gate = FrameGate(settings)
        self.events: list[Frame | CameraFault] = []
        self.phase = Phase.RUNNING
        self.detail = ""
        self.drains = True
        self.armed = True
        self.copy_ns = 0  # that a frame takes from the ring
        self._meanwhile: Callable[[], None] = lambda: None

    def receive(self, parts: list[bytes]) -> None:
        """A message comes over the network."""
        try:
            frame = frame_from_message(parts, self._settings, self._time.now_ns)
        except ValueError as error:
            self._tell(SourceFault(FaultKind.INVALID, str(error)))
            return
        deliver, faults = self._gate.check(frame)
        for fault in faults:
            self._tell(fault)
        if deliver:
            self.events.append(frame)

    def while_copying(self, meanwhile: Callable[[], None]) -> None:
        """As the supervisor."""
        self._meanwhile = meanwhile

    def take_cut(self) -> list[CutOff]:
        """Nobody is cut off: the socket is not there."""
        return []

    def lose(self, why: str) -> None:
        """The worker died and another one starts at once."""
        self.events.append(CameraFault(self._settings.name, Note(Reason.CAMERA_LOST, why)))

    def give_up(self, why: str) -> None:
        """The worker died once too often."""
        self.lose(why)
        self.phase, self.detail = Phase.GIVEN_UP, why

    @property
    def ready(self) -> bool:
        return self.phase is Phase.RUNNING

    def fileno(self) -> int:
        return CAMERAS_FD

    def start(self, now_ns: int) -> None:
        """It streams already."""

    def arm(self, now_ns: int) -> None:
        self._gate.restart()
        self.armed = self.drains

    def poll(self, now_ns: int) -> list[Frame | CameraFault]:
        events, self.events = self.events, []
        end_ns = self._time.now_ns + self.copy_ns * sum(isinstance(each, Frame) for each in events)
        while self._time.now_ns < end_ns:
            self._time.sleep_until(min(end_ns, self._time.now_ns + STRIP_NS))
            self._meanwhile()
        return events

    def reset(self, now_ns: int) -> None:
        self.phase, self.detail = Phase.RUNNING, ""

    def counters(self, name: str) -> CameraCounters:
        return CameraCounters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def status(self, name: str) -> CameraStatus:
        return CameraStatus(self.phase, 1, self.detail)

    def _tell(self, fault: SourceFault) -> None:
        note = Note(REASONS[fault.kind], fault.detail)
        self.events.append(CameraFault(self._settings.name, note, fault.count))


def thread_on(time: Time, busy: Callable[[], int]) -> type[InspectionThread]:
    """One whose tasks take the test's time. busy: what the last task slept, ns, taken once."""

    class SteppedThread(InspectionThread):
        _free_ns = START_NS
        _over = False
        _held: list[InspectionEvent] | None = None

        def start(self) -> None:
            """No thread."""

        @property
        def ended(self) -> bool:
            return self._over

        def leave(self) -> None:
            super().leave()
            self._soon()

        def join(self, patience_s: float) -> bool:
            while not self._over:
                time.now_ns = max(time.now_ns, self._free_ns)
                self._work()
            return True

        def _ask(self, task: Callable[[], None]) -> None:
            super()._ask(task)
            self._soon()

        def _tell(self, event: InspectionEvent) -> None:
            assert self._held is not None
            self._held.append(event)

        def _soon(self) -> None:
            time.at(max(time.now_ns, self._free_ns), self._work)

        def _work(self) -> None:
            """One task: its events are heard, and the next begins, when its time is over."""
            if self._tasks.empty():
                return
            if time.now_ns < self._free_ns:
                self._soon()
                return
            task = self._tasks.get()
            events: list[InspectionEvent] = []
            self._held = events
            self._guarded(self._drop if task is None else task)
            self._over = task is None
            self._free_ns = time.now_ns + busy()
            time.at(self._free_ns, lambda: self._end(events, task is not None))

        def _end(self, events: list[InspectionEvent], counts: bool) -> None:
            self._events.extend(events)
            self._done += counts
            self._wake()

    return SteppedThread


class _SlowJournal(Journal):
    """A disk that takes its time."""

    def __init__(self, path: Path, cell: SteppedCell) -> None:
        super().__init__(path, cell.time.clock)
        self._cell = cell

    def close_job(self, verdict: VerdictMessage, who: str = THE_BOX) -> None:
        super().close_job(verdict, who)
        self._cell.time.now_ns += self._cell.writing_takes_ns


class SteppedCell:
    """A cell, its robot and its camera. `until` and `run_for` turn the service's own loop."""

    evidence = NoEvidence()

    def __init__(
        self, folder: Path, script: Script | None = None, **changes: dict[str, Any]
    ) -> None:
        self.cell = load_cell(write_cell(folder, **changes))
        self.time = Time()
        self.robot_offset_ns = ROBOT_OFFSET_NS
        self.camera_offset_ns = CAMERA_OFFSET_NS
        self.frame_id = 0
        self.writing_takes_ns = 0  # of a verdict into the journal
        self.undo: list[Callable[[], None]] = []  # what mends a fault
        self._slept_ns = 0
        self._prepare = scripted(script or Script(), self._sleep)
        self._requests = 0
        self._seq = 0
        self._speaks = False
        self.start()
        self.say_poses()
        self.until(lambda: self.state() is State.READY, "READY")
        self.run_for(0.2)

    # --- the service -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the service; again after `kill`."""
        calibrations = load_calibrations(self.cell.config)
        self.wake = Wake()
        self.sockets = Sockets()
        self.turn_ns = TURN_NS
        self.cameras = Cameras(camera_settings(self.cell.config, calibrations)[0], self.time)
        self._limit_ns = self.time.now_ns

        def open_doors(stack: ExitStack) -> Doors:
            return self._open_doors(stack, self._prepare)

        self.service = Service(
            self.cell, calibrations, self.wake, self.time.clock, open_doors, self
        )
        self.service.start()

    def kill(self) -> None:
        """What kill -9 leaves: the journal as it is."""
        self.journal.close()
        self.wake.close()

    def end(self) -> None:
        """SIGTERM."""
        self.wake.stop = True
        self._limit_ns = self.time.now_ns + 10 * NS_PER_S
        assert self.service.close()
        self.wake.close()

    def _open_doors(self, stack: ExitStack, prepare: Prepare) -> Doors:
        config = self.cell.config
        self.journal = _SlowJournal(config.journal.path, self)
        stack.callback(self.journal.close)
        make = thread_on(self.time, self._take_slept)
        relay = Relay(prepare, self.wake.call, config.job.queue_views, self.time.clock, make)
        metrics = Metrics(config.cell, ("cam0",))
        return Doors(self.journal, self.sockets, self.cameras, self.evidence, relay, metrics, {})

    def _sleep(self, seconds: float) -> None:
        self._slept_ns += int(seconds * NS_PER_S)

    def _take_slept(self) -> int:
        slept_ns, self._slept_ns = self._slept_ns, 0
        return slept_ns

    # --- the poller ------------------------------------------------------------------------------

    def register(self, socket: Any, flags: int = 0) -> None:
        """It knows them all."""

    def poll(self, timeout: int | None = None) -> list[tuple[Any, int]]:
        """What is ready; the time goes on only while nothing is."""
        end_ns = self.time.now_ns + self.turn_ns
        while self.time.now_ns < end_ns:
            self.time.sleep_until(end_ns)
        if not self._ready():
            assert timeout is not None
            until_ns = self.time.now_ns + timeout * NS_PER_MS
            self.time.sleep_until(min(until_ns, self._limit_ns))
        return [(each, zmq.POLLIN) for each in self._ready()]

    def _ready(self) -> list[Any]:
        waiting = {
            self.sockets.poses: self.sockets.sent,
            self.sockets.commands: self.sockets.asked,
            CAMERAS_FD: self.cameras.events,
            self.wake.fileno(): select.select([self.wake], [], [], 0)[0],
        }
        return [source for source, found in waiting.items() if found]

    # --- time ------------------------------------------------------------------------------------

    def run_for(self, seconds: float) -> None:
        """Turn the loop until so much time has gone by."""
        self._limit_ns = self.time.now_ns + int(seconds * NS_PER_S)
        while self.time.now_ns < self._limit_ns or self._ready():
            self.service.turn()

    def until(self, condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
        """Turn the loop until `condition` is true; fails the test when it stays away."""
        end_ns = self._limit_ns = self.time.now_ns + int(within_s * NS_PER_S)
        while not condition():
            assert self.time.now_ns < end_ns, f"{what} did not happen within {within_s:g} s"
            self.service.turn()

    # --- the robot -------------------------------------------------------------------------------

    def send(self, command: type[CommandMessage], **fields: Any) -> None:
        """Send a command."""
        self._requests += 1
        payload = command(request_id=f"r{self._requests}", **fields).to_json()
        self.sockets.asked.append(Request(Envelope(b"robot", delimited=False), payload))

    def reply(self) -> Reply:
        """The next reply."""
        self.until(lambda: self.sockets.replies, "a reply")
        return self.sockets.replies.popleft()

    def ask(self, command: type[CommandMessage], **fields: Any) -> Reply:
        """Send a command and take its reply."""
        self.send(command, **fields)
        return self.reply()

    def state(self) -> State:
        """The state that get_state tells."""
        return self.get_state().state

    def get_state(self) -> StateReply:
        """Everything that it tells."""
        reply = self.ask(GetState)
        assert isinstance(reply, StateReply)
        return reply

    def start_job(self, job_id: str = "job-1") -> None:
        """Start a job, which must be accepted, and travel to the first viewpoint."""
        reply = self.ask(StartJob, job_id=job_id, part_id="part-1")
        assert isinstance(reply, Done), reply
        self.run_for(COLD_CLOCK_S)

    def say_poses(self) -> None:
        """Stand still and say so at 125 Hz."""
        self._seq = 0
        self._speaks = True
        self.time.at(self.time.now_ns, self._say_pose)

    def stop_poses(self) -> None:
        """Fall silent."""
        self._speaks = False

    def _say_pose(self) -> None:
        if not self._speaks:
            return
        pose = PoseMessage(
            seq=self._seq,
            t_robot_ns=self.time.now_ns + self.robot_offset_ns,
            p_mm=(500.0, 0.0, 500.0),
            q_wxyz=(1.0, 0.0, 0.0, 0.0),
        )
        late_ns = self._seq * 7 % 11 * JITTER_NS
        self._seq += 1
        self.time.at(self.time.now_ns + late_ns, lambda: self.sockets.sent.append(pose.to_json()))
        self.time.at(self.time.now_ns + int(POSE_PERIOD_S * NS_PER_S), self._say_pose)

    def published(self, topic: str) -> list[dict[str, Any]]:
        """Everything heard so far under `topic` of this cell."""
        return [message for name, message in self.sockets.heard if name == f"{topic}.test"]

    # --- the camera ------------------------------------------------------------------------------

    def expose(self, **header: Any) -> None:
        """Expose, read out and send one frame."""
        self.frame_id += 1
        begun_ns = self.time.now_ns - header.pop("age_ns", 0)
        self.run_for((EXPOSURE_NS + READOUT_NS) / NS_PER_S)
        fields = self.frame_header(begun_ns) | header
        pixels = fields["width"] * fields["height"]
        self.cameras.receive([json.dumps(fields).encode(), bytes(pixels), bytes(2 * pixels)])

    def frame_header(self, begun_ns: int) -> dict[str, Any]:
        """Of the frame that is exposed now."""
        return {
            "camera": "cam0",
            "frame_id": self.frame_id,
            "t_device_ns": begun_ns + self.camera_offset_ns,
            "exposure_ns": EXPOSURE_NS,
            "width": WIDTH_PX,
            "height": HEIGHT_PX,
            "pixel_format": "Mono8",
            "depth": "Coord3D_C16",
            "depth_scale_mm": 0.1,
            "depth_offset_mm": 0.0,
            "encoding": "raw",
        }
