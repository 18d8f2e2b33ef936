"""What a robot controller and a camera send in one job, and when: the nouns of the virtual cell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voxgate.runtime.nouns import Device
from voxgate.sim.field.faults import Target
from voxgate.sim.field.timeline import Exposure, Sample
from voxgate.sim.gentl.link import Fault


@dataclass(frozen=True, slots=True)
class PoseSend:
    """One pose message: sampled at `sample.t_ns`, given to the network at `send_ns`."""

    send_ns: int
    number: int  # of the sample in this job: what a receiver counts gaps by
    sample: Sample


@dataclass(frozen=True, slots=True)
class FrameSend:
    """One frame message: `number` is the device's own count, `exposure` what it really shows."""

    send_ns: int
    number: int
    exposure: Exposure
    corrupt: Target | None = None
    device: Device = Device.CAMERA


class Power(str, Enum):
    """What somebody does to a GenICam camera's supply or cable."""

    UNPLUG = "unplug"
    SWAP = "swap"  # another one of the same kind is plugged in
    REBOOT = "reboot"


@dataclass(frozen=True, slots=True)
class Trigger:
    """The robot raises the device's line at the exposure's start; this is told a moment before.

    faults: what the device does wrong with the frame; power: what happens to it just before;
    fired: False keeps the line low, and no frame comes.
    """

    send_ns: int
    exposure: Exposure
    faults: tuple[tuple[Fault, int], ...] = ()
    power: Power | None = None
    fired: bool = True
    device: Device = Device.CAMERA

    @property
    def t_ns(self) -> int:
        """Start of the exposure on the time line."""
        return self.exposure.t_ns


@dataclass(frozen=True, slots=True)
class StepSend:
    """Somebody sets the clock of a device at `send_ns`."""

    send_ns: int
    device: Target
    step_ns: int


@dataclass(frozen=True, slots=True)
class Exposed:
    """The last exposure is over: the robot's program goes on, whatever became of the frames."""

    send_ns: int


@dataclass(frozen=True, slots=True)
class OfFurther:
    """What one of the cameras after the first does."""

    send_ns: int
    camera: str
    event: FrameSend | Trigger


Event = PoseSend | FrameSend | Trigger | StepSend | Exposed | OfFurther


@dataclass(frozen=True, slots=True)
class Schedule:
    """One job: events in order of sending, on the time line."""

    events: tuple[Event, ...]
    last_exposure_ns: int  # its end, as planned
    pose_count: int  # how far the robot's and the camera's own counts move on, sent or not
    frame_count: int
    sensor_count: int = 0
