"""A frame becomes a view when its place at mid-exposure is proven, else it is rejected by name.

Never nearest, never extrapolated: the poses must bracket the whole window in which, by the
residuals of both clocks, the exposure may lie. No clock in here: poses and frames come in order
of arrival, `take` is told the time; live and replay run the same lines.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Frame, Note, Pose, Reason, View
from voxgate.runtime.sync.clock import ClockFit, ClockState, DelayModel, HostTime
from voxgate.runtime.sync.motion import Placed, place
from voxgate.runtime.sync.placed_view import unlike, view_of
from voxgate.runtime.sync.poses import PoseBuffer, largest_gap_ns
from voxgate.runtime.transforms import invert

# Behind a frame's arrival: the first frame's residual (25 ms), two poses more, their slowest way.
MAX_WAIT_NS = 150_000_000
MAX_PENDING = 8  # frames that wait for poses; usually one
MAX_RESULTS = 64  # that wait for `take`; usually one
NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Stamps:
    """How the stamps of frames are to be read.

    on_arrival: they are this host's, taken when the frame had come: each is as uncertain as the
        first promise about delays, whatever the fit of many says.
    shared_ns: camera and robot follow one PTP time, and differ by no more; their arrivals must not
        contradict that.
    """

    on_arrival: bool = False
    shared_ns: int | None = None

    def __post_init__(self) -> None:
        if self.shared_ns is not None and (self.on_arrival or self.shared_ns <= 0):
            raise ValueError("a shared time needs device stamps and an error above 0")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A frame that did not become a view, and why."""

    frame_id: int
    note: Note


@dataclass(frozen=True, slots=True)
class SyncState:
    """What outlives a job: both clocks, and the newest stamp of the camera."""

    camera: ClockState
    robot: ClockState
    last_stamp_ns: int | None


@dataclass(frozen=True, slots=True)
class _Window:
    """When, on the robot's clock, the middle of the exposure was."""

    t_robot_ns: int
    residual_ns: int

    @property
    def start_ns(self) -> int:
        return self.t_robot_ns - self.residual_ns

    @property
    def end_ns(self) -> int:
        return self.t_robot_ns + self.residual_ns


class Synchronizer:
    """Joins the frames of one camera and the poses of one robot; owned by one thread.

    max_gap_ns: longest time between two poses around an exposure; max_uncertainty_mm: how far a
    point on the part may be off because of time; max_wait_ns: how long after its arrival a frame
    may wait for its poses. The clocks outlive a job: they only get better.
    """

    def __init__(
        self,
        calibration: Calibration,
        max_gap_ns: int,
        max_uncertainty_mm: float = math.inf,
        *,
        max_wait_ns: int = MAX_WAIT_NS,
        camera_delay: DelayModel | None = None,
        robot_delay: DelayModel | None = None,
        stamps: Stamps | None = None,
    ) -> None:
        if max_gap_ns <= 0 or max_wait_ns <= 0 or not max_uncertainty_mm > 0:
            raise ValueError("gap, wait and uncertainty must be above 0")
        self.camera_clock = ClockFit(camera_delay)
        self.robot_clock = ClockFit(robot_delay)
        self.poses = PoseBuffer()
        self._calibration = calibration
        self._part_from_base = invert(calibration.base_from_part)
        self._max_gap_ns = max_gap_ns
        self._max_uncertainty_mm = max_uncertainty_mm
        self._max_wait_ns = max_wait_ns
        self._stamps = stamps or Stamps()
        self._pending: deque[Frame] = deque()
        self._done: list[View | Rejection] = []
        self._last_stamp_ns: int | None = None

    def add_pose(self, pose: Pose) -> None:
        """Take the next pose in order of arrival; duplicates and stragglers are counted only."""
        self._expire(pose.t_arrival_ns)
        steps = self.robot_clock.steps
        self.robot_clock.add(pose.t_robot_ns, pose.t_arrival_ns)
        if self.robot_clock.steps != steps:
            self.poses.clear()
            self.camera_clock.forget()  # it may be the host's clock that moved, and frames are few
            self._reject_all(Note(Reason.CLOCK_UNSYNCED, "the robot's clock was stepped"))
        self.poses.add(pose)
        self._settle()

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame in order of arrival; it becomes a view or a rejection."""
        self._expire(frame.t_arrival_ns)
        problem = self._invalid(frame) or self._untimely(frame)
        if problem is not None:
            self._reject(frame, problem)
            return
        self._pending.append(frame)
        if len(self._pending) > MAX_PENDING:
            self._reject(self._pending.popleft(), _overflow("frames waited for robot poses"))
        self._settle()

    def take(self, now_ns: int) -> list[View | Rejection]:
        """What became of the frames since the last call; frames that waited too long included."""
        self._expire(now_ns)
        done, self._done = self._done, []
        return done

    def close(self) -> list[View | Rejection]:
        """The last results: no pose follows, so that frames that still wait are rejected."""
        while self._pending:
            self._reject(self._pending.popleft(), self._why_not_placed())
        done, self._done = self._done, []
        return done

    def clear(self) -> None:
        """Forget frames that wait and results not taken: a new job begins. Clocks stay."""
        self._pending.clear()
        self._done.clear()

    def state(self) -> SyncState:
        """What is known now, poses left out."""
        return SyncState(self.camera_clock.state(), self.robot_clock.state(), self._last_stamp_ns)

    def resume(self, state: SyncState, poses: Iterable[Pose]) -> None:
        """Go on where another one stood; `poses` are those it still had. Raises ValueError."""
        self.camera_clock.resume(state.camera)
        self.robot_clock.resume(state.robot)
        self._last_stamp_ns = state.last_stamp_ns
        for pose in poses:
            self.poses.add(pose)

    def host_time(self, t_device_ns: int) -> HostTime:
        """An instant of the camera's stamps on the host's clock. Raises ValueError before the
        first frame.
        """
        if not self._stamps.on_arrival:
            return self.camera_clock.at(t_device_ns)
        model = self.camera_clock.model
        least_ns, most_ns = model.least_ns, model.promises[0].within_ns
        way_ns = self._calibration.readout_ns + (least_ns + most_ns) // 2
        return HostTime(t_device_ns - way_ns, (most_ns - least_ns) // 2 + 1)

    @property
    def pending(self) -> int:
        """Frames that still wait for poses."""
        return len(self._pending)

    # --- a frame on its own ----------------------------------------------------------------------

    def _invalid(self, frame: Frame) -> Note | None:
        problem = unlike(frame, self._calibration)
        return None if problem is None else Note(Reason.FRAME_INVALID, problem)

    def _untimely(self, frame: Frame) -> Note | None:
        steps = self.camera_clock.steps
        known_ns = frame.exposure_ns + self._calibration.readout_ns
        agrees = self.camera_clock.add(frame.t_device_ns, frame.t_arrival_ns - known_ns)
        if self.camera_clock.steps != steps:
            stepped = Note(Reason.CLOCK_UNSYNCED, "the camera's clock was stepped")
            self._reject_all(stepped)  # the new clock cannot place what the old one stamped
            self._last_stamp_ns = frame.t_device_ns
            return stepped
        if self._last_stamp_ns is not None and frame.t_device_ns <= self._last_stamp_ns:
            return Note(Reason.FRAME_INVALID, "its stamp is not after the previous frame's")
        if not agrees:
            return _contradiction()
        self._last_stamp_ns = frame.t_device_ns
        return None

    # --- frames and poses together ---------------------------------------------------------------

    def _settle(self) -> None:
        """Place every waiting frame that can be placed; a frame keeps its turn."""
        while self._pending:
            placed = self._place(self._pending[0])
            if placed is None:
                return
            frame = self._pending.popleft()
            if isinstance(placed, Note):
                self._reject(frame, placed)
            else:
                pose, uncertainty_mm = placed.part_from_camera, placed.uncertainty_mm
                self._finish(view_of(frame, pose, uncertainty_mm, self._calibration))

    def _place(self, frame: Frame) -> Placed | Note | None:
        """Where the frame was taken, why that cannot be known, or None: wait for more poses."""
        if not (self.camera_clock.synced and self.robot_clock.synced):
            return None
        apart = self._apart(frame)
        if apart is not None:
            return apart
        window = self._window(frame)
        if not self.poses.reaches_back_to(window.start_ns):
            return self._too_early(window)
        poses = self.poses.around(window.start_ns, window.end_ns)
        if poses is None:
            return None
        return self._gap(poses) or self._placed(poses, window)

    def _apart(self, frame: Frame) -> Note | None:
        """Whether a time that is said to be shared is one: as far as arrivals can tell."""
        if self._stamps.shared_ns is None:
            return None
        camera, robot = (c.at(frame.t_device_ns) for c in (self.camera_clock, self.robot_clock))
        apart_ns = abs(camera.t_ns - robot.t_ns)
        if apart_ns <= camera.residual_ns + robot.residual_ns + self._stamps.shared_ns:
            return None
        return Note(
            Reason.CLOCK_UNSYNCED,
            f"camera and robot are {apart_ns / NS_PER_MS:.3f} ms apart and are said to share PTP "
            "time: is it on at both, with one grandmaster?",
        )

    def _window(self, frame: Frame) -> _Window:
        middle_ns = frame.t_device_ns + frame.exposure_ns // 2
        if self._stamps.shared_ns is not None:
            return _Window(middle_ns, self._stamps.shared_ns)
        middle = self.host_time(middle_ns)
        t_robot_ns = self.robot_clock.device_ns(middle.t_ns)
        residual_ns = middle.residual_ns + self.robot_clock.at(t_robot_ns).residual_ns
        # the robot's second differs from the host's by less than the drift that is allowed
        drift = self.robot_clock.model.max_drift_ppm * 1e-6
        return _Window(t_robot_ns, residual_ns + int(residual_ns * drift) + 1)

    def _too_early(self, window: _Window) -> Note | None:
        oldest_ns = self.poses.oldest_ns
        if oldest_ns is None or len(self.poses) < 2:
            return None
        return Note(
            Reason.POSE_MISSING,
            f"the first robot pose is {(oldest_ns - window.start_ns) / NS_PER_MS:+.1f} ms from the "
            "exposure's window and two must come before it: send poses before the first exposure",
        )

    def _gap(self, poses: tuple[Pose, ...]) -> Note | None:
        gap_ns = largest_gap_ns(poses[1:-1])
        if gap_ns <= self._max_gap_ns:
            return None
        return Note(
            Reason.POSE_GAP,
            f"{gap_ns / NS_PER_MS:.1f} ms between two robot poses around the exposure, "
            f"at most {self._max_gap_ns / NS_PER_MS:g}",
        )

    def _placed(self, poses: tuple[Pose, ...], window: _Window) -> Placed | Note:
        placed = place(
            poses,
            window.t_robot_ns,
            window.residual_ns,
            self._part_from_base,
            self._calibration.flange_from_camera,
        )
        if placed.uncertainty_mm <= self._max_uncertainty_mm:
            return placed
        return Note(
            Reason.POSE_UNCERTAIN,
            f"may be off by {placed.uncertainty_mm:.3f} mm within the clocks' residual of "
            f"{window.residual_ns / NS_PER_MS:.2f} ms, at most {self._max_uncertainty_mm:.3f}: "
            "slow down or stop to expose",
        )

    # --- frames that cannot be placed ------------------------------------------------------------

    def _expire(self, now_ns: int) -> None:
        while self._pending and now_ns - self._pending[0].t_arrival_ns > self._max_wait_ns:
            self._reject(self._pending.popleft(), self._why_not_placed())

    def _why_not_placed(self) -> Note:
        if not len(self.poses):
            return Note(Reason.POSE_MISSING, "no robot poses: is the robot connected?")
        if not self.camera_clock.synced:
            return Note(Reason.CLOCK_UNSYNCED, "stamps of the camera contradict each other")
        if not self.robot_clock.synced:
            return Note(Reason.CLOCK_UNSYNCED, "stamps of the robot contradict each other")
        return Note(Reason.POSE_MISSING, "robot poses end before the exposure does")

    def _reject(self, frame: Frame, note: Note) -> None:
        named = Note(note.reason, f"frame {frame.frame_id}: {note.detail}")
        self._finish(Rejection(frame.frame_id, named))

    def _finish(self, result: View | Rejection) -> None:
        if len(self._done) >= MAX_RESULTS:
            # nobody takes them: one line that spoils the job is all that need be kept
            self._done = [Rejection(result.frame_id, _overflow("results were not taken"))]
        else:
            self._done.append(result)

    def _reject_all(self, note: Note) -> None:
        while self._pending:
            self._reject(self._pending.popleft(), note)


def _contradiction() -> Note:
    return Note(
        Reason.CLOCK_UNSYNCED,
        "its stamp contradicts its arrival: the camera's clock was stepped or the frame is late",
    )


def _overflow(what: str) -> Note:
    return Note(Reason.QUEUE_OVERFLOW, f"too many {what}")
