"""The frames of one device on their way to views, by its own clock and its own exposure.

Never nearest, never extrapolated: the poses must bracket the whole window in which, by the
residuals of both clocks, the exposure may lie. A long exposure sees all of its time: in it the
device must stand. No clock in here: frames come in order of arrival, the time is told.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device, Frame, Note, Pose, Reason, View
from voxgate.runtime.sync.clock import ClockFit, DelayModel, HostTime
from voxgate.runtime.sync.motion import Placed, place
from voxgate.runtime.sync.placed_view import unlike, view_of
from voxgate.runtime.sync.poses import largest_gap_ns
from voxgate.runtime.sync.rejection import Rejection, name_of
from voxgate.runtime.sync.robot_line import RobotLine
from voxgate.runtime.sync.stamps import Stamps

# Behind a frame's arrival: the first frame's residual (25 ms), two poses more, their slowest way.
MAX_WAIT_NS = 150_000_000
MAX_PENDING = 8  # frames that wait for poses; usually one
MAX_RESULTS = 64  # that wait for `take`; usually one
STANDS_NS = 50_000_000  # what exposes for longer sees several places unless the robot stands
STILL_MM = 0.25  # a tenth of the voxels that detect; a robot that stands keeps within a few 1/100
NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Limits:
    """max_gap_ns: longest time between two poses around an exposure; max_uncertainty_mm: how far a
    point on the part may be off because of time; max_wait_ns: how long after its arrival a frame
    may wait for its poses."""

    max_gap_ns: int
    max_uncertainty_mm: float = math.inf
    max_wait_ns: int = MAX_WAIT_NS

    def __post_init__(self) -> None:
        if self.max_gap_ns <= 0 or self.max_wait_ns <= 0 or not self.max_uncertainty_mm > 0:
            raise ValueError("gap, wait and uncertainty must be above 0")


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

    def widened(self, by_ns: int) -> _Window:
        return _Window(self.t_robot_ns, self.residual_ns + by_ns)


class DeviceLine:
    """Joins the frames of one device and the poses of its robot.

    calibration: as if the device were the camera (`Calibration.of_depth`).
    """

    def __init__(
        self,
        device: Device,
        calibration: Calibration,
        robot: RobotLine,
        limits: Limits,
        stamps: Stamps,
        delay: DelayModel | None = None,
    ) -> None:
        self.clock = ClockFit(delay)
        self.last_stamp_ns: int | None = None
        self._device = device
        self._calibration = calibration
        self._robot = robot
        self._limits = limits
        self._stamps = stamps
        self._pending: deque[Frame] = deque()
        self._done: list[View | Rejection] = []

    def robot_came(self, stepped: bool) -> None:
        """The robot's line has one more pose. stepped: its clock was set."""
        if stepped:
            self.clock.forget()  # it may be the host's clock that moved, and frames are few
            self._reject_all(Note(Reason.CLOCK_UNSYNCED, "the robot's clock was stepped"))
        self._settle()

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame in order of arrival; it becomes a view or a rejection."""
        self.expire(frame.t_arrival_ns)
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
        self.expire(now_ns)
        done, self._done = self._done, []
        return done

    def close(self) -> list[View | Rejection]:
        """The last results: no pose follows, so that frames that still wait are rejected."""
        while self._pending:
            self._reject(self._pending.popleft(), self._why_not_placed())
        done, self._done = self._done, []
        return done

    def clear(self) -> None:
        """Forget frames that wait and results not taken. The clock stays."""
        self._pending.clear()
        self._done.clear()

    def host_time(self, t_device_ns: int) -> HostTime:
        """An instant of the device's stamps on the host's clock. Raises ValueError before the
        first frame.
        """
        if not self._stamps.on_arrival:
            return self.clock.at(t_device_ns)
        model = self.clock.model
        least_ns, most_ns = model.least_ns, model.promises[0].within_ns
        way_ns = self._calibration.readout_ns + (least_ns + most_ns) // 2
        return HostTime(t_device_ns - way_ns, (most_ns - least_ns) // 2 + 1)

    @property
    def pending(self) -> int:
        """Frames that still wait for poses."""
        return len(self._pending)

    def expire(self, now_ns: int) -> None:
        """Give up frames that waited too long."""
        longest_ns = self._limits.max_wait_ns
        while self._pending and now_ns - self._pending[0].t_arrival_ns > longest_ns:
            self._reject(self._pending.popleft(), self._why_not_placed())

    # --- a frame on its own ----------------------------------------------------------------------

    def _contradiction(self, t_device_ns: int, t_arrival_ns: int) -> Note:
        way_ms = (t_arrival_ns - self.clock.host_ns(t_device_ns)) / NS_PER_MS
        return Note(
            Reason.CLOCK_UNSYNCED,
            f"its stamp contradicts its arrival: {way_ms:.0f} ms on the way, so the "
            f"{self._device.value}'s clock was stepped or the frame is late",
        )

    def _invalid(self, frame: Frame) -> Note | None:
        problem = unlike(frame, self._calibration)
        return None if problem is None else Note(Reason.FRAME_INVALID, problem)

    def _untimely(self, frame: Frame) -> Note | None:
        steps = self.clock.steps
        known_ns = frame.exposure_ns + self._calibration.readout_ns
        arrival_ns = frame.t_arrival_ns - known_ns
        agrees = self.clock.add(frame.t_device_ns, arrival_ns)
        if self.clock.steps != steps:
            stepped = Note(Reason.CLOCK_UNSYNCED, f"the {self._device.value}'s clock was stepped")
            self._reject_all(stepped)  # the new clock cannot place what the old one stamped
            self.last_stamp_ns = frame.t_device_ns
            return stepped
        if self.last_stamp_ns is not None and frame.t_device_ns <= self.last_stamp_ns:
            return Note(Reason.FRAME_INVALID, "its stamp is not after the previous frame's")
        if not agrees:
            return self._contradiction(frame.t_device_ns, arrival_ns)
        self.last_stamp_ns = frame.t_device_ns
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
        if not (self.clock.synced and self._robot.clock.synced):
            return None
        apart = self._apart(frame)
        if apart is not None:
            return apart
        window = self._window(frame)
        stands = frame.exposure_ns > STANDS_NS
        needed = window.widened(frame.exposure_ns // 2) if stands else window
        if not self._robot.poses.reaches_back_to(needed.start_ns):
            return self._too_early(needed)
        poses = self._robot.poses.around(needed.start_ns, needed.end_ns)
        if poses is None:
            return None
        moved = self._moved(poses, needed, frame.exposure_ns) if stands else None
        return self._gap(poses) or moved or self._placed(poses, window)

    def _apart(self, frame: Frame) -> Note | None:
        """Whether a time that is said to be shared is one: as far as arrivals can tell."""
        if self._stamps.shared_ns is None:
            return None
        device, robot = (c.at(frame.t_device_ns) for c in (self.clock, self._robot.clock))
        apart_ns = abs(device.t_ns - robot.t_ns)
        if apart_ns <= device.residual_ns + robot.residual_ns + self._stamps.shared_ns:
            return None
        return Note(
            Reason.CLOCK_UNSYNCED,
            f"{self._device.value} and robot are {apart_ns / NS_PER_MS:.3f} ms apart and are said "
            "to share PTP time: is it on at both, with one grandmaster?",
        )

    def _window(self, frame: Frame) -> _Window:
        middle_ns = frame.t_device_ns + frame.exposure_ns // 2
        if self._stamps.shared_ns is not None:
            return _Window(middle_ns, self._stamps.shared_ns)
        middle = self.host_time(middle_ns)
        t_robot_ns = self._robot.clock.device_ns(middle.t_ns)
        residual_ns = middle.residual_ns + self._robot.clock.at(t_robot_ns).residual_ns
        # the robot's second differs from the host's by less than the drift that is allowed
        drift = self._robot.clock.model.max_drift_ppm * 1e-6
        return _Window(t_robot_ns, residual_ns + int(residual_ns * drift) + 1)

    def _too_early(self, window: _Window) -> Note | None:
        oldest_ns = self._robot.poses.oldest_ns
        if oldest_ns is None or len(self._robot.poses) < 2:
            return None
        return Note(
            Reason.POSE_MISSING,
            f"the first robot pose is {(oldest_ns - window.start_ns) / NS_PER_MS:+.1f} ms from the "
            "exposure's window and two must come before it: send poses before the first exposure",
        )

    def _gap(self, poses: tuple[Pose, ...]) -> Note | None:
        gap_ns = largest_gap_ns(poses[1:-1])
        if gap_ns <= self._limits.max_gap_ns:
            return None
        return Note(
            Reason.POSE_GAP,
            f"{gap_ns / NS_PER_MS:.1f} ms between two robot poses around the exposure, "
            f"at most {self._limits.max_gap_ns / NS_PER_MS:g}",
        )

    def _moved(self, poses: tuple[Pose, ...], exposed: _Window, exposure_ns: int) -> Note | None:
        """Whether a device that must stand may have moved while it exposed."""
        way_mm = self._placed_in(poses, exposed).uncertainty_mm
        if way_mm <= STILL_MM:
            return None
        return Note(
            Reason.POSE_UNCERTAIN,
            f"the {self._device.value} may have moved {way_mm:.2f} mm while it exposed for "
            f"{exposure_ns / NS_PER_MS:.0f} ms, at most {STILL_MM}: what exposes for more than "
            f"{STANDS_NS / NS_PER_MS:.0f} ms must stand",
        )

    def _placed_in(self, poses: tuple[Pose, ...], window: _Window) -> Placed:
        return place(
            poses,
            window.t_robot_ns,
            window.residual_ns,
            self._calibration.mounting,
        )

    def _placed(self, poses: tuple[Pose, ...], window: _Window) -> Placed | Note:
        placed = self._placed_in(poses, window)
        if placed.uncertainty_mm <= self._limits.max_uncertainty_mm:
            return placed
        return Note(
            Reason.POSE_UNCERTAIN,
            f"may be off by {placed.uncertainty_mm:.3f} mm within the clocks' residual of "
            f"{window.residual_ns / NS_PER_MS:.2f} ms, at most "
            f"{self._limits.max_uncertainty_mm:.3f}: slow down or stop to expose",
        )

    # --- frames that cannot be placed ------------------------------------------------------------

    def _why_not_placed(self) -> Note:
        if not len(self._robot.poses):
            return Note(Reason.POSE_MISSING, "no robot poses: is the robot connected?")
        if not self.clock.synced:
            return Note(
                Reason.CLOCK_UNSYNCED, f"stamps of the {self._device.value} contradict each other"
            )
        if not self._robot.clock.synced:
            why = (
                "stamps of the robot contradict each other, or the box is too busy to see them come"
            )
            return Note(Reason.CLOCK_UNSYNCED, why)
        return Note(Reason.POSE_MISSING, "robot poses end before the exposure does")

    def _reject(self, frame: Frame, note: Note) -> None:
        named = Note(note.reason, f"{name_of(self._device, frame.frame_id)}: {note.detail}")
        self._finish(Rejection(frame.frame_id, named, self._device))

    def _finish(self, result: View | Rejection) -> None:
        if len(self._done) >= MAX_RESULTS:
            # nobody takes them: one line that spoils the job is all that need be kept
            note = _overflow("results were not taken")
            self._done = [Rejection(result.frame_id, note, self._device)]
        else:
            self._done.append(result)

    def _reject_all(self, note: Note) -> None:
        while self._pending:
            self._reject(self._pending.popleft(), note)


def _overflow(what: str) -> Note:
    return Note(Reason.QUEUE_OVERFLOW, f"too many {what}")
