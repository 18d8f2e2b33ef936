"""A frame becomes a view when its place at mid-exposure is proven, else it is rejected by name.

One robot, a camera, and the 3D sensor beside it where there is one: each device has a clock and
exposures of its own (device_line.py), and the views of both are paired. No clock in here: poses and
frames come in order of arrival, `take` is told the time; live and replay run the same lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device, Frame, Note, Pose, Reason, View
from voxgate.runtime.sync.clock import ClockFit, ClockState, DelayModel, HostTime
from voxgate.runtime.sync.device_line import MAX_WAIT_NS, DeviceLine, Limits
from voxgate.runtime.sync.pairing import Pairing
from voxgate.runtime.sync.poses import PoseBuffer
from voxgate.runtime.sync.rejection import Rejection, name_of
from voxgate.runtime.sync.robot_line import RobotLine
from voxgate.runtime.sync.stamps import Stamps


@dataclass(frozen=True, slots=True)
class SyncState:
    """What outlives a job: the clocks, and the newest stamp of the camera, and of the sensor."""

    camera: ClockState
    robot: ClockState
    last_stamp_ns: int | None
    sensor: ClockState | None = None
    sensor_stamp_ns: int | None = None


class Synchronizer:
    """Joins the frames of one camera, and its sensor, and the poses of one robot; owned by one
    thread.

    max_gap_ns, max_uncertainty_mm, max_wait_ns: see device_line.Limits. The clocks outlive a job:
    they only get better. sensor_stamps: None: as the camera's.
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
        sensor_stamps: Stamps | None = None,
    ) -> None:
        limits = Limits(max_gap_ns, max_uncertainty_mm, max_wait_ns)
        stamps = stamps or Stamps()
        self._robot = RobotLine(robot_delay)
        self._lines = {
            Device.CAMERA: DeviceLine(
                *(Device.CAMERA, calibration, self._robot, limits, stamps), camera_delay
            )
        }
        self._pairing: Pairing | None = None
        if calibration.sensor is not None:
            of_depth, read = calibration.of_depth, sensor_stamps or stamps
            self._lines[Device.SENSOR] = DeviceLine(
                *(Device.SENSOR, of_depth, self._robot, limits, read), camera_delay
            )
            self._pairing = Pairing(calibration.sensor.camera_from_sensor)
        self._alone: list[Rejection] = []

    @property
    def devices(self) -> tuple[Device, ...]:
        """Whose frames make a view."""
        return tuple(self._lines)

    @property
    def clocks(self) -> dict[str, ClockFit]:
        """Every clock, by its name."""
        own = {device.value: line.clock for device, line in self._lines.items()}
        return {**own, "robot": self._robot.clock}

    @property
    def camera_clock(self) -> ClockFit:
        return self._lines[Device.CAMERA].clock

    @property
    def robot_clock(self) -> ClockFit:
        return self._robot.clock

    @property
    def poses(self) -> PoseBuffer:
        """The robot's latest."""
        return self._robot.poses

    def add_pose(self, pose: Pose) -> None:
        """Take the next pose in order of arrival; duplicates and stragglers are counted only."""
        for line in self._lines.values():
            line.expire(pose.t_arrival_ns)
        stepped = self._robot.add(pose)
        for line in self._lines.values():
            line.robot_came(stepped)

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame in order of arrival; it becomes a view or a rejection."""
        line = self._lines.get(frame.device)
        if line is not None:
            line.add_frame(frame)
            return
        what = f"{name_of(frame.device, frame.frame_id)}: the calibration is of no sensor"
        self._alone.append(Rejection(frame.frame_id, Note(Reason.FRAME_INVALID, what)))

    def take(self, now_ns: int) -> list[View | Rejection]:
        """What became of the frames since the last call; frames that waited too long included."""
        found = {device: line.take(now_ns) for device, line in self._lines.items()}
        return self._paired(found)

    def take_alone(self) -> list[Rejection]:
        """Halves of views that still wait for their other half; none does any more."""
        return [] if self._pairing is None else self._pairing.take_alone()

    def close(self) -> list[View | Rejection]:
        """The last results: no pose follows, so that frames that still wait are rejected."""
        found = {device: line.close() for device, line in self._lines.items()}
        return [*self._paired(found), *self.take_alone()]

    def clear(self) -> None:
        """Forget frames that wait and results not taken: a new job begins. Clocks stay."""
        for line in self._lines.values():
            line.clear()
        if self._pairing is not None:
            self._pairing.clear()
        self._alone.clear()

    def state(self) -> SyncState:
        """What is known now, poses left out."""
        camera, sensor = self._lines[Device.CAMERA], self._lines.get(Device.SENSOR)
        known = SyncState(camera.clock.state(), self._robot.clock.state(), camera.last_stamp_ns)
        if sensor is None:
            return known
        return SyncState(
            *(known.camera, known.robot, known.last_stamp_ns),
            *(sensor.clock.state(), sensor.last_stamp_ns),
        )

    def resume(self, state: SyncState, poses: Iterable[Pose]) -> None:
        """Go on where another one stood; `poses` are those it still had. Raises ValueError."""
        camera, sensor = self._lines[Device.CAMERA], self._lines.get(Device.SENSOR)
        camera.clock.resume(state.camera)
        camera.last_stamp_ns = state.last_stamp_ns
        self._robot.clock.resume(state.robot)
        if sensor is not None and state.sensor is not None:
            sensor.clock.resume(state.sensor)
            sensor.last_stamp_ns = state.sensor_stamp_ns
        for pose in poses:
            self._robot.poses.add(pose)

    def host_time(self, t_device_ns: int, device: Device = Device.CAMERA) -> HostTime:
        """An instant of a device's stamps on the host's clock. Raises ValueError before its first
        frame.
        """
        return self._lines[device].host_time(t_device_ns)

    @property
    def pending(self) -> int:
        """Frames that still wait for poses."""
        return sum(line.pending for line in self._lines.values())

    def _paired(self, found: dict[Device, list[View | Rejection]]) -> list[View | Rejection]:
        results: list[View | Rejection] = list(self._alone)
        self._alone.clear()
        for device, each in found.items():
            for result in each:
                whole = self._whole(result, device)
                if whole is not None:
                    results.append(whole)
        return results

    def _whole(self, result: View | Rejection, device: Device) -> View | Rejection | None:
        """A view of one device alone waits for its other half."""
        apart = isinstance(result, View) and result.sensed is None and self._pairing is not None
        if not apart:
            return result
        assert isinstance(result, View)
        assert self._pairing is not None
        return self._pairing.add(result, device)
