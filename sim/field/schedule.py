"""A time line becomes what is sent, and when: network delays, and every fault that was asked for.

Pure: the same time line, faults and seed give the same schedule, event for event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from voxgate.runtime.nouns import Device
from voxgate.sim.field.events import (
    Event,
    Exposed,
    FrameSend,
    PoseSend,
    Schedule,
    StepSend,
    Trigger,
)
from voxgate.sim.field.faults import Fault, Kind, Target
from voxgate.sim.field.misbehaviour import FRAME_FAULTS, POSE_FAULTS, SPOILED_NS
from voxgate.sim.field.timeline import Exposure, Timeline
from voxgate.sim.field.triggers import check_faults, triggers_from_exposures

# both networks of a cell: 0.2 to 2 ms, and once in a while something holds the line
DELAY_NS = (200_000, 2_000_000)
OUTLIER_NS = 10_000_000
OUTLIER_SHARE = 0.003


def schedule_from_timeline(
    timeline: Timeline, faults: tuple[Fault, ...] = (), seed: int = 0, *, triggered: bool = False
) -> Schedule:
    """What robot and camera send in one job, faults applied in the order they were named.

    triggered: the camera is a GenICam one that the robot triggers, instead of a sender of frames.
    Raises FaultError for a fault that this camera cannot commit.
    """
    check_faults(faults, triggered=triggered, sensed=bool(timeline.sensed))
    random = np.random.default_rng(seed)
    poses = _undisturbed(timeline, random)
    frames = frames_from_exposures(timeline.exposures, timeline.readout_ns, random, Device.CAMERA)
    sensed = frames_from_exposures(
        timeline.sensed, timeline.sensor_readout_ns, random, Device.SENSOR
    )
    steps: list[StepSend] = []
    for fault in faults:
        at = _place(fault, timeline)
        if fault.kind is Kind.STEP:
            steps.append(StepSend(at.t_ns - SPOILED_NS, fault.target, fault.time_ns))
        elif fault.target is Target.POSES:
            poses = POSE_FAULTS[fault.kind](poses, fault, at, random)
        elif not triggered and fault.of_sensor:
            sensed = FRAME_FAULTS[fault.kind](sensed, fault, at, random)
        elif not triggered:
            frames = FRAME_FAULTS[fault.kind](frames, fault, at, random)
    exposed = Exposed(timeline.last_exposure_ns)
    seen: list[Event] = [*_triggers(timeline, faults, random)] if triggered else [*frames, *sensed]
    events: list[Event] = [*steps, *_in_line(poses), *seen, exposed]
    return Schedule(
        events=tuple(sorted(events, key=lambda event: event.send_ns)),
        last_exposure_ns=exposed.send_ns,
        pose_count=len(timeline.samples),
        frame_count=len(timeline.exposures),
        sensor_count=len(timeline.sensed),
    )


def _triggers(
    timeline: Timeline, faults: Sequence[Fault], random: np.random.Generator
) -> Iterator[Trigger]:
    """Of both devices."""
    for device, exposures in (
        (Device.CAMERA, timeline.exposures),
        (Device.SENSOR, timeline.sensed),
    ):
        own = [(fault, _place(fault, timeline)) for fault in faults if fault.of is device]
        yield from triggers_from_exposures(exposures, own, random, device)


def _undisturbed(timeline: Timeline, random: np.random.Generator) -> list[PoseSend]:
    lags_ns = _delays_ns(random, len(timeline.samples))
    return [
        PoseSend(sample.t_ns + lag_ns, number, sample)
        for number, (sample, lag_ns) in enumerate(zip(timeline.samples, lags_ns, strict=True))
    ]


def frames_from_exposures(
    exposures: Sequence[Exposure], readout_ns: int, random: np.random.Generator, device: Device
) -> list[FrameSend]:
    """Each as it comes through the network."""
    lags_ns = _delays_ns(random, len(exposures))
    return [
        FrameSend(each.end_ns + readout_ns + lag_ns, each.index, each, device=device)
        for each, lag_ns in zip(exposures, lags_ns, strict=True)
    ]


def _delays_ns(random: np.random.Generator, count: int) -> list[int]:
    usual = random.uniform(*DELAY_NS, count)
    rare = random.random(count) < OUTLIER_SHARE
    return [round(lag) for lag in np.where(rare, OUTLIER_NS, usual)]


def _in_line(poses: list[PoseSend]) -> list[PoseSend]:
    """One connection keeps its order: whatever is held up holds up what comes behind it."""
    line: list[PoseSend] = []
    free_ns = 0
    for pose in poses:
        free_ns = max(free_ns, pose.send_ns)
        line.append(replace(pose, send_ns=free_ns))
    return line


def _place(fault: Fault, timeline: Timeline) -> Exposure:
    """The exposure a fault is tied to: the one it names, else the one in the middle."""
    exposures = timeline.sensed if fault.of_sensor else timeline.exposures
    last = len(exposures) - 1
    return exposures[min(last, (last + 1) // 2 if fault.view is None else fault.view)]
