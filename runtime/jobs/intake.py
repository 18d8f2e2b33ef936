"""Poses and frames on their way to views: counts what is missing, keeps what a job must know.

A pose is stamped when it comes and understood in batches: while no job is open, waking the whole
machinery 125 times a second would cost four times the processor time.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from voxgate.runtime.nouns import Device, Frame, Note, Pose, Reason, View
from voxgate.runtime.scans.recording import NoRecording, Recording
from voxgate.runtime.sync.clock import ClockFit, HostTime
from voxgate.runtime.sync.pose_line import PoseLine
from voxgate.runtime.sync.poses import KEEP_NS, MAX_POSES, PoseRecord
from voxgate.runtime.sync.rejection import Rejection, name_of
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.telemetry.metrics import Metrics, Stage
from voxgate.runtime.wire.fields import MalformedMessage
from voxgate.runtime.wire.poses import parse_pose

WRAP_WITHIN = 16  # frames before and after a camera's counter begins again
MAX_REMEMBERED = 64  # frames under way between arrival and view; the synchronizer keeps eight


@dataclass(frozen=True, slots=True)
class PlacedView:
    """A view of so many frames, and when its last exposure ended on the host's clock; the earlier
    one of two devices may have ended residual_ns before after_ns."""

    view: View
    exposure_end_ns: int
    residual_ns: int
    after_ns: int
    frames: int = 1


@dataclass(frozen=True, slots=True)
class _UnderWay:
    t_device_end_ns: int
    t_arrival_ns: int


@dataclass(slots=True)
class _Came:
    """The frames of one device in the open job."""

    under_way: dict[int, _UnderWay] = field(default_factory=dict)
    ids: set[int] = field(default_factory=set)
    last_id: int | None = None


class Intake:
    """Feeds one synchronizer. Poses all the time, frames while a job is open."""

    def __init__(self, sync: Synchronizer, metrics: Metrics) -> None:
        self._sync = sync
        self._metrics = metrics
        self._came: defaultdict[tuple[str, Device], _Came] = defaultdict(_Came)
        self._stash: list[tuple[bytes, int, int | None]] = []
        self._line = PoseLine()
        self._began_again: Note | None = None
        self._refused: list[Rejection] = []
        self._last_pose_ns: int | None = None
        self._largest_gap_ns = 0
        self._recent: deque[PoseRecord] = deque(maxlen=MAX_POSES)
        self._recording: Recording = NoRecording()
        self._robot_steps = 0
        self._steps = {name: clock.steps for name, clock in self._clocks.items()}

    def stash_pose(
        self, payload: bytes, t_arrival_ns: int, t_awaited_ns: int | None = None
    ) -> None:
        """Keep one message of the robot for `settle`: arrival is now, understanding can wait.

        t_awaited_ns: when it was looked for in vain.
        """
        self._stash.append((payload, t_arrival_ns, t_awaited_ns))

    @property
    def stashed(self) -> int:
        """Messages that wait for `settle`."""
        return len(self._stash)

    def settle(self) -> list[Note]:
        """Understand what was stashed; a note for each that is no pose, or not the next one."""
        if not self._stash:
            return []
        notes = [self._add_pose(*each) for each in self._stash]
        self._stash.clear()
        return [note for note in notes if note is not None]

    def _add_pose(self, payload: bytes, t_arrival_ns: int, t_awaited_ns: int | None) -> Note | None:
        try:
            message = parse_pose(payload)
            record = PoseRecord(
                *(message.seq, message.t_robot_ns, t_arrival_ns, message.p_mm, message.q_wxyz),
                t_awaited_ns,
            )
            pose = record.pose()
        except MalformedMessage as error:
            return self._malformed(str(error))
        except ValueError as error:
            return self._malformed(str(error))
        self._metrics.poses.inc()
        self._follow(pose)
        self._sync.add_pose(pose)
        self._remember(record)
        return self._in_line(record)

    def begin(self, recording: Recording) -> None:
        """A job starts: nothing of the last one is under way any more, and a clock that was set or
        a program that was started again before it is not held against it.
        """
        self._began_again = None
        self._steps = {name: clock.steps for name, clock in self._clocks.items()}
        self._sync.clear()
        self._came.clear()
        self._refused.clear()
        self._recording = recording
        recording.begin(self._sync.state(), tuple(self._recent))

    def end(self) -> None:
        """The job is over: what comes now is not recorded."""
        self._recording = NoRecording()

    def add_frame(self, frame: Frame) -> None:
        """Take one frame of the open job; `take` tells of one whose id came before or fell."""
        camera = self._sync.camera_of(frame)
        came = self._came[frame.camera if camera is None else camera, frame.device]
        refusal = _out_of_order(came, frame, camera)
        if refusal is not None:
            self._refused.append(Rejection(frame.frame_id, refusal, frame.device, camera or ""))
            return
        if len(came.under_way) >= MAX_REMEMBERED:
            came.under_way.pop(next(iter(came.under_way)))
        came.under_way[frame.frame_id] = _UnderWay(
            frame.t_device_ns + frame.exposure_ns, frame.t_arrival_ns
        )
        self._recording.frame(frame)
        self._sync.add_frame(frame)

    def take(self, now_ns: int) -> list[PlacedView | Rejection]:
        """What became of frames since the last call."""
        refused, self._refused = self._refused, []
        for rejection in refused:
            self._metrics.rejections.labels(rejection.note.reason.value).inc()
        results = self._sync.take(now_ns)
        if results:
            self._recording.took(now_ns)
        return [*refused, *(self._named(result, now_ns) for result in results)]

    @property
    def frames_per_view(self) -> int:
        """A camera's, and one of the sensor beside it."""
        return self._sync.frames_per_view

    def flush(self) -> list[Note]:
        """Give up frames that still wait, for poses or for their other half; the notes say so."""
        waiting, alone = self._sync.pending, self._sync.take_alone()
        self._sync.clear()
        self._recording.flushed()
        notes = [half.note for half in alone]
        if waiting or not alone:
            what = (
                f"{waiting} frames found no robot poses around their exposure before the job had "
                "to end: is the robot still sending?"
            )
            notes.append(Note(Reason.POSE_MISSING, what))
        return notes

    def stepped(self) -> Note | None:
        """A clock was set, or the robot's program restarted, since the last call: what was placed
        before and after may not agree.
        """
        began_again, self._began_again = self._began_again, None
        if began_again is not None:
            return began_again
        for name, clock in self._clocks.items():
            if clock.steps != self._steps[name]:
                self._steps[name] = clock.steps
                return Note(Reason.CLOCK_UNSYNCED, f"the {name}'s clock was stepped: who sets it?")
        return None

    def show_clocks(self) -> None:
        """Bring the gauges up to date; a clock that is not synced shows NaN."""
        for name, clock in self._clocks.items():
            offset_ns, residual_ns = clock.offset_ns, clock.residual_ns
            self._metrics.clock_offset.labels(name).set(_seconds(offset_ns))
            self._metrics.clock_residual.labels(name).set(_seconds(residual_ns))
        self._metrics.pose_gap.set(self._largest_gap_ns / 1e9)
        self._largest_gap_ns = 0

    @property
    def _clocks(self) -> dict[str, ClockFit]:
        return self._sync.clocks

    def _malformed(self, why: str) -> Note:
        self._metrics.poses_malformed.inc()
        return Note(Reason.POSE_INVALID, f"robot pose refused: {why}")

    def _follow(self, pose: Pose) -> None:
        if self._last_pose_ns is not None:
            gap_ns = pose.t_robot_ns - self._last_pose_ns
            self._largest_gap_ns = max(self._largest_gap_ns, gap_ns)
        self._last_pose_ns = pose.t_robot_ns

    def _remember(self, record: PoseRecord) -> None:
        """What the synchronizer may still use, as the robot sent it."""
        if self._sync.robot_clock.steps != self._robot_steps:
            self._robot_steps = self._sync.robot_clock.steps
            self._recent.clear()  # as the synchronizer did: they are of another clock
        self._recent.append(record)
        while record.t_arrival_ns - self._recent[0].t_arrival_ns > KEEP_NS:
            self._recent.popleft()
        self._recording.pose(record)

    def _in_line(self, record: PoseRecord) -> Note | None:
        followed = self._line.follow(record)
        if followed.lost:
            self._metrics.poses_lost.inc(followed.lost)
        if followed.began_again:
            what = f"the robot's poses count from {record.seq} again: was its program restarted?"
            self._began_again = Note(Reason.POSE_ORDER, what)
        if followed.note is not None and followed.note.reason is Reason.POSE_ORDER:
            self._metrics.poses_out_of_order.inc()
        return followed.note

    def _named(self, result: View | Rejection, now_ns: int) -> PlacedView | Rejection:
        if isinstance(result, Rejection):
            self._came[result.camera, result.device].under_way.pop(result.frame_id, None)
            self._metrics.rejections.labels(result.note.reason.value).inc()
            return result
        ends = [
            self._ended(result.camera, device, number, now_ns)
            for device, number in self._halves(result)
        ]
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            note = Note(Reason.FRAME_INVALID, f"frame {result.frame_id}: came more than once")
            return Rejection(result.frame_id, note, camera=result.camera)
        last, first = max(known, key=_end_ns), min(known, key=_earliest_ns)
        return PlacedView(result, last.t_ns, first.residual_ns, first.t_ns, len(known))

    def _halves(self, view: View) -> Iterator[tuple[Device, int]]:
        """The frames that the view is of."""
        yield Device.CAMERA, view.frame_id
        if view.sensed is not None and self.frames_per_view > 1:
            yield Device.SENSOR, view.sensed.frame_id

    def _ended(self, camera: str, device: Device, frame_id: int, now_ns: int) -> HostTime | None:
        """When the exposure was over; None: this frame was counted already."""
        under_way = self._came[camera, device].under_way.pop(frame_id, None)
        if under_way is None:
            return None
        self._metrics.observe(Stage.SYNC, now_ns - under_way.t_arrival_ns)
        return self._sync.host_time(under_way.t_device_end_ns, device, camera)


def _end_ns(end: HostTime) -> int:
    return end.t_ns


def _earliest_ns(end: HostTime) -> int:
    return end.t_ns - end.residual_ns


def _out_of_order(came: _Came, frame: Frame, camera: str | None) -> Note | None:
    """Of a device whose gate let it through; camera: of several, whose views it belongs to."""
    frame_id, name = frame.frame_id, name_of(frame.device, frame.frame_id)
    name = f"camera {camera}: {name}" if camera else name
    last, came.last_id = came.last_id, frame_id
    if frame_id in came.ids:
        return Note(Reason.FRAME_INVALID, f"{name}: came more than once")
    came.ids.add(frame_id)
    if last is None or frame_id > last or _wraps(last, frame_id):
        return None
    return Note(Reason.FRAME_INVALID, f"{name}: came after frame {last}")


def _wraps(last: int, frame_id: int) -> bool:
    """Whether a counter of some bytes began again between these two."""
    bits = last.bit_length()
    return bits % 8 == 0 and last >= (1 << bits) - WRAP_WITHIN and frame_id <= WRAP_WITHIN


def _seconds(ns: int | None) -> float:
    return float("nan") if ns is None else ns / 1e9
