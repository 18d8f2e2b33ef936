"""A frame becomes a view when its place at mid-exposure is proven, else it is rejected by name.

One robot, a camera or several, each with the 3D sensor beside it where there is one: each device
has a clock and exposures of its own (device_line.py), and the views of camera and sensor are paired
(camera_line.py). No clock in here: poses and frames come in order of arrival, `take` is told the
time; live and replay run the same lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device, Frame, Note, Pose, Reason, View
from voxgate.runtime.sync.camera_line import CameraLine, CameraState
from voxgate.runtime.sync.clock import ClockFit, ClockState, DelayModel, HostTime
from voxgate.runtime.sync.device_line import MAX_WAIT_NS, Limits
from voxgate.runtime.sync.poses import PoseBuffer
from voxgate.runtime.sync.rejection import Rejection
from voxgate.runtime.sync.robot_line import RobotLine
from voxgate.runtime.sync.stamps import Stamps

ONLY = ""
"""Name of a cell's only camera, whatever its frames are called."""


@dataclass(frozen=True, slots=True)
class SyncState:
    """What outlives a job: the clocks, and the newest stamp of the camera, and of the sensor.

    further: of the cameras after the first, by name.
    """

    camera: ClockState
    robot: ClockState
    last_stamp_ns: int | None
    sensor: ClockState | None = None
    sensor_stamp_ns: int | None = None
    further: Mapping[str, CameraState] = field(default_factory=dict)


class Synchronizer:
    """Joins the frames of a cell's cameras, and the poses of one robot; owned by one thread.

    calibration: of the only camera, or of each by name. max_gap_ns, max_uncertainty_mm,
    max_wait_ns: see device_line.Limits. The clocks outlive a job: they only get better. stamps: of
    the camera, or of each by name; sensor_stamps: None: as the camera's.
    """

    def __init__(
        self,
        calibration: Calibration | Mapping[str, Calibration],
        max_gap_ns: int,
        max_uncertainty_mm: float = math.inf,
        *,
        max_wait_ns: int = MAX_WAIT_NS,
        camera_delay: DelayModel | None = None,
        robot_delay: DelayModel | None = None,
        stamps: Stamps | Mapping[str, Stamps] | None = None,
        sensor_stamps: Stamps | None = None,
    ) -> None:
        limits = Limits(max_gap_ns, max_uncertainty_mm, max_wait_ns)
        known = {ONLY: calibration} if isinstance(calibration, Calibration) else dict(calibration)
        told = stamps if isinstance(stamps, Mapping) else dict.fromkeys(known, stamps or Stamps())
        if len(known) == 1:  # its frames may bear any name
            known, told = dict.fromkeys((ONLY,), *known.values()), {ONLY: next(iter(told.values()))}
        self._robot = RobotLine(robot_delay)
        self._cameras = {
            name: CameraLine(each, self._robot, limits, told[name], sensor_stamps, camera_delay)
            for name, each in known.items()
        }
        self._strangers: list[Rejection] = []

    @property
    def frames_per_view(self) -> int:
        """The most that a view is of: a camera's, and one of the sensor beside it."""
        return max(len(line.devices) for line in self._cameras.values())

    @property
    def clocks(self) -> dict[str, ClockFit]:
        """Every clock, by its name."""
        own = {
            f"{name} {device.value}".strip(): clock
            for name, line in self._cameras.items()
            for device, clock in line.clocks.items()
        }
        return {**own, "robot": self._robot.clock}

    @property
    def camera_clock(self) -> ClockFit:
        """Of the first camera."""
        return self._first.clocks[Device.CAMERA]

    @property
    def robot_clock(self) -> ClockFit:
        return self._robot.clock

    @property
    def poses(self) -> PoseBuffer:
        """The robot's latest."""
        return self._robot.poses

    def add_pose(self, pose: Pose) -> None:
        """Take the next pose in order of arrival; duplicates and stragglers are counted only."""
        came_ns = pose.t_arrival_ns if pose.t_awaited_ns is None else pose.t_awaited_ns
        for line in self._cameras.values():
            line.expire(came_ns)
        stepped = self._robot.add(pose)
        for line in self._cameras.values():
            line.robot_came(stepped)

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame in order of arrival; it becomes a view or a rejection."""
        camera = self.camera_of(frame)
        if camera is not None:
            self._cameras[camera].add_frame(frame)
            return
        what = f"frame {frame.frame_id}: of {frame.camera}, which is none of this cell's cameras"
        note = Note(Reason.FRAME_INVALID, what)
        self._strangers.append(Rejection(frame.frame_id, note, frame.device, frame.camera))

    def camera_of(self, frame: Frame) -> str | None:
        """Which camera's views the frame belongs to; None: to none's."""
        if frame.camera in self._cameras:
            return frame.camera
        if ONLY in self._cameras:
            return ONLY
        beside = (name for name, line in self._cameras.items() if frame.device in line.devices)
        return next(beside, None) if frame.device is Device.SENSOR else None

    def take(self, now_ns: int) -> list[View | Rejection]:
        """What became of the frames since the last call; frames that waited too long included."""
        strangers, self._strangers = self._strangers, []
        found = {name: line.take(now_ns) for name, line in self._cameras.items()}
        return [*strangers, *_named(found)]

    def take_alone(self) -> list[Rejection]:
        """Halves of views that still wait for their other half; none does any more."""
        found = _named({name: line.take_alone() for name, line in self._cameras.items()})
        return [each for each in found if isinstance(each, Rejection)]

    def close(self) -> list[View | Rejection]:
        """The last results: no pose follows, so that frames that still wait are rejected."""
        strangers, self._strangers = self._strangers, []
        found = {name: line.close() for name, line in self._cameras.items()}
        return [*strangers, *_named(found)]

    def clear(self) -> None:
        """Forget frames that wait and results not taken: a new job begins. Clocks stay."""
        for line in self._cameras.values():
            line.clear()
        self._strangers.clear()

    def state(self) -> SyncState:
        """What is known now, poses left out."""
        first, *further = ((name, line.state()) for name, line in self._cameras.items())
        own = first[1]
        return SyncState(
            *(own.camera, self._robot.clock.state(), own.last_stamp_ns),
            *(own.sensor, own.sensor_stamp_ns),
            dict(further),
        )

    def resume(self, state: SyncState, poses: Iterable[Pose]) -> None:
        """Go on where another one stood; `poses` are those it still had. Raises ValueError."""
        self._robot.clock.resume(state.robot)
        self._first.resume(
            CameraState(state.camera, state.last_stamp_ns, state.sensor, state.sensor_stamp_ns)
        )
        for name, line in islice(self._cameras.items(), 1, None):
            if name in state.further:
                line.resume(state.further[name])
        for pose in poses:
            self._robot.poses.add(pose)

    def host_time(
        self, t_device_ns: int, device: Device = Device.CAMERA, camera: str = ONLY
    ) -> HostTime:
        """An instant of a device's stamps on the host's clock. Raises ValueError before its first
        frame.
        """
        return self._cameras[camera].host_time(t_device_ns, device)

    @property
    def pending(self) -> int:
        """Frames that still wait for poses."""
        return sum(line.pending for line in self._cameras.values())

    @property
    def _first(self) -> CameraLine:
        return next(iter(self._cameras.values()))


def _named(found: Mapping[str, Iterable[View | Rejection]]) -> list[View | Rejection]:
    """Each with its camera's name, where there are several."""
    return [
        result if name == ONLY else _of(name, result)
        for name, results in found.items()
        for result in results
    ]


def _of(camera: str, result: View | Rejection) -> View | Rejection:
    if isinstance(result, View):
        return replace(result, camera=camera)
    note = replace(result.note, detail=f"camera {camera}: {result.note.detail}")
    return replace(result, camera=camera, note=note)
