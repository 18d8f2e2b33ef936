"""One camera, and the 3D sensor beside it: their frames become views, each half in its place."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Device, Frame, Note, Reason, View
from voxgate.runtime.sync.clock import ClockFit, ClockState, DelayModel, HostTime
from voxgate.runtime.sync.device_line import DeviceLine, Limits
from voxgate.runtime.sync.pairing import Pairing
from voxgate.runtime.sync.rejection import Rejection, name_of
from voxgate.runtime.sync.robot_line import RobotLine
from voxgate.runtime.sync.stamps import Stamps


@dataclass(frozen=True, slots=True)
class CameraState:
    """What outlives a job: clock and newest stamp of a camera, and of the sensor beside it."""

    camera: ClockState
    last_stamp_ns: int | None
    sensor: ClockState | None = None
    sensor_stamp_ns: int | None = None


class CameraLine:
    """Of one calibration, by one robot; see device_line.py.

    sensor_stamps: None: as the camera's.
    """

    def __init__(
        self,
        calibration: Calibration,
        robot: RobotLine,
        limits: Limits,
        stamps: Stamps,
        sensor_stamps: Stamps | None = None,
        delay: DelayModel | None = None,
    ) -> None:
        camera = DeviceLine(Device.CAMERA, calibration, robot, limits, stamps, delay)
        self._lines = {Device.CAMERA: camera}
        self._pairing: Pairing | None = None
        if calibration.sensor is not None:
            of_depth, read = calibration.of_depth, sensor_stamps or stamps
            self._lines[Device.SENSOR] = DeviceLine(
                *(Device.SENSOR, of_depth, robot, limits, read), delay
            )
            self._pairing = Pairing(calibration.sensor.camera_from_sensor)
        self._alone: list[Rejection] = []

    @property
    def devices(self) -> tuple[Device, ...]:
        """Whose frames make a view."""
        return tuple(self._lines)

    @property
    def clocks(self) -> dict[Device, ClockFit]:
        """Of each device."""
        return {device: line.clock for device, line in self._lines.items()}

    def expire(self, now_ns: int) -> None:
        """Give up frames that waited too long."""
        for line in self._lines.values():
            line.expire(now_ns)

    def robot_came(self, stepped: bool) -> None:
        """The robot's line has one more pose. stepped: its clock was set."""
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
        return self._paired({device: line.take(now_ns) for device, line in self._lines.items()})

    def take_alone(self) -> list[Rejection]:
        """Halves of views that still wait for their other half; none does any more."""
        return [] if self._pairing is None else self._pairing.take_alone()

    def close(self) -> list[View | Rejection]:
        """The last results: no pose follows, so that frames that still wait are rejected."""
        found = {device: line.close() for device, line in self._lines.items()}
        return [*self._paired(found), *self.take_alone()]

    def clear(self) -> None:
        """Forget frames that wait and results not taken. Clocks stay."""
        for line in self._lines.values():
            line.clear()
        if self._pairing is not None:
            self._pairing.clear()
        self._alone.clear()

    def state(self) -> CameraState:
        """What is known now."""
        camera, sensor = self._lines[Device.CAMERA], self._lines.get(Device.SENSOR)
        if sensor is None:
            return CameraState(camera.clock.state(), camera.last_stamp_ns)
        return CameraState(
            *(camera.clock.state(), camera.last_stamp_ns),
            *(sensor.clock.state(), sensor.last_stamp_ns),
        )

    def resume(self, state: CameraState) -> None:
        """Go on where another one stood. Raises ValueError."""
        camera, sensor = self._lines[Device.CAMERA], self._lines.get(Device.SENSOR)
        camera.clock.resume(state.camera)
        camera.last_stamp_ns = state.last_stamp_ns
        if sensor is not None and state.sensor is not None:
            sensor.clock.resume(state.sensor)
            sensor.last_stamp_ns = state.sensor_stamp_ns

    def host_time(self, t_device_ns: int, device: Device) -> HostTime:
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
