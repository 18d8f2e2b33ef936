"""What a robot controller and a camera send in one job, and when: the nouns of the virtual cell."""

from __future__ import annotations

from dataclasses import dataclass

from sim.faults import Target
from sim.timeline import Exposure, Sample


@dataclass(frozen=True, slots=True)
class PoseSend:
    """One pose message: sampled at `sample.t_ns`, given to the network at `send_ns`."""

    send_ns: int
    number: int  # of the sample in this job: what a receiver counts gaps by
    sample: Sample


@dataclass(frozen=True, slots=True)
class FrameSend:
    """One frame message: `number` is the camera's own count, `exposure` what it really shows."""

    send_ns: int
    number: int
    exposure: Exposure
    corrupt: Target | None = None


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


Event = PoseSend | FrameSend | StepSend | Exposed


@dataclass(frozen=True, slots=True)
class Schedule:
    """One job: events in order of sending, on the time line."""

    events: tuple[Event, ...]
    last_exposure_ns: int  # its end, as planned
    pose_count: int  # how far the robot's and the camera's own counts move on, sent or not
    frame_count: int
