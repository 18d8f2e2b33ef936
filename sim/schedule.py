"""A time line becomes what is sent, and when: network delays, and every fault that was asked for.

Pure: the same time line, faults and seed give the same schedule, event for event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sim.faults import Fault, Kind, Target
from sim.timeline import Exposure, Sample, Timeline

# both networks of a cell: 0.2 to 2 ms, and once in a while something holds the line
DELAY_NS = (200_000, 2_000_000)
OUTLIER_NS = 10_000_000
OUTLIER_SHARE = 0.003

# poses spoiled by `nan` and `quaternion`: this long before and after the exposure
SPOILED_NS = 30_000_000
NOT_UNIT = 1.1


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


def schedule_from_timeline(
    timeline: Timeline, faults: tuple[Fault, ...] = (), seed: int = 0
) -> Schedule:
    """What robot and camera send in one job, faults applied in the order they were named."""
    random = np.random.default_rng(seed)
    poses, frames = _undisturbed(timeline, random)
    steps: list[StepSend] = []
    for fault in faults:
        at = _place(fault, timeline)
        if fault.kind is Kind.STEP:
            steps.append(StepSend(at.t_ns - SPOILED_NS, fault.target, fault.time_ns))
        elif fault.target is Target.POSES:
            poses = POSE_FAULTS[fault.kind](poses, fault, at, random)
        else:
            frames = FRAME_FAULTS[fault.kind](frames, fault, at, random)
    exposed = Exposed(timeline.exposures[-1].end_ns)
    events: list[Event] = [*steps, *_in_line(poses), *frames, exposed]
    return Schedule(
        events=tuple(sorted(events, key=lambda event: event.send_ns)),
        last_exposure_ns=exposed.send_ns,
        pose_count=len(timeline.samples),
        frame_count=len(timeline.exposures),
    )


def _undisturbed(
    timeline: Timeline, random: np.random.Generator
) -> tuple[list[PoseSend], list[FrameSend]]:
    lags_ns = _delays_ns(random, len(timeline.samples))
    poses = [
        PoseSend(sample.t_ns + lag_ns, number, sample)
        for number, (sample, lag_ns) in enumerate(zip(timeline.samples, lags_ns, strict=True))
    ]
    lags_ns = _delays_ns(random, len(timeline.exposures))
    frames = [
        FrameSend(exposure.end_ns + timeline.readout_ns + lag_ns, exposure.index, exposure)
        for exposure, lag_ns in zip(timeline.exposures, lags_ns, strict=True)
    ]
    return poses, frames


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
    last = len(timeline.exposures) - 1
    return timeline.exposures[min(last, (last + 1) // 2 if fault.view is None else fault.view)]


# what can happen to the pose stream

PoseFault = Callable[[list[PoseSend], Fault, Exposure, np.random.Generator], list[PoseSend]]


def _drop_poses(
    poses: list[PoseSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[PoseSend]:
    lost = random.random(len(poses)) < fault.fraction
    return [pose for pose, gone in zip(poses, lost, strict=True) if not gone]


def _delay_poses(
    poses: list[PoseSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[PoseSend]:
    since_ns = 0 if fault.view is None else at.t_ns
    return [
        replace(p, send_ns=p.send_ns + fault.time_ns) if p.sample.t_ns >= since_ns else p
        for p in poses
    ]


def _freeze_poses(
    poses: list[PoseSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[PoseSend]:
    start_ns = at.t_ns - SPOILED_NS
    return [p for p in poses if not start_ns <= p.sample.t_ns < start_ns + fault.time_ns]


def _stale_poses(
    poses: list[PoseSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[PoseSend]:
    start_ns = at.t_ns - SPOILED_NS
    old = max((p.sample for p in poses if p.sample.t_ns < start_ns), key=lambda s: s.t_ns)
    return [
        replace(p, sample=old) if start_ns <= p.sample.t_ns < start_ns + fault.time_ns else p
        for p in poses
    ]


def _nan_poses(
    poses: list[PoseSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[PoseSend]:
    nan = float("nan")
    return _spoil(poses, at, lambda s: replace(s, p_mm=(nan, s.p_mm[1], s.p_mm[2])))


def _long_quaternions(
    poses: list[PoseSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[PoseSend]:
    def longer(s: Sample) -> Sample:
        w, x, y, z = (NOT_UNIT * part for part in s.q_wxyz)
        return replace(s, q_wxyz=(w, x, y, z))

    return _spoil(poses, at, longer)


def _spoil(
    poses: list[PoseSend], at: Exposure, spoil: Callable[[Sample], Sample]
) -> list[PoseSend]:
    start_ns, end_ns = at.t_ns - SPOILED_NS, at.end_ns + SPOILED_NS
    return [
        replace(p, sample=spoil(p.sample)) if start_ns <= p.sample.t_ns <= end_ns else p
        for p in poses
    ]


POSE_FAULTS: dict[Kind, PoseFault] = {
    Kind.DROP: _drop_poses,
    Kind.DELAY: _delay_poses,
    Kind.FREEZE: _freeze_poses,
    Kind.STALE: _stale_poses,
    Kind.NAN: _nan_poses,
    Kind.QUATERNION: _long_quaternions,
}


# what can happen to the frames

FrameFault = Callable[[list[FrameSend], Fault, Exposure, np.random.Generator], list[FrameSend]]


def _drop_frames(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    if fault.target is Target.VIEW or fault.view is not None:
        return [f for f in frames if f.exposure.index != at.index]
    lost = random.random(len(frames)) < fault.fraction
    return [frame for frame, gone in zip(frames, lost, strict=True) if not gone]


def _delay_frames(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    return [
        replace(f, send_ns=f.send_ns + fault.time_ns)
        if fault.view is None or f.exposure.index == at.index
        else f
        for f in frames
    ]


def _freeze_frames(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    start_ns, end_ns = at.t_ns, at.t_ns + fault.time_ns
    return [
        replace(f, send_ns=max(f.send_ns, end_ns)) if f.exposure.t_ns >= start_ns else f
        for f in frames
    ]


def _stale_frame(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    old = next((f for f in frames if f.exposure.index == at.index - 1), None)
    if old is None:
        return [f for f in frames if f.exposure.index != at.index]
    return [replace(old, send_ns=f.send_ns) if f.exposure.index == at.index else f for f in frames]


def _reorder_frames(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    following = next((f for f in frames if f.exposure.index == at.index + 1), None)
    if following is None:
        return frames
    behind_ns = following.send_ns + DELAY_NS[1]
    return [replace(f, send_ns=behind_ns) if f.exposure.index == at.index else f for f in frames]


def _duplicate_frame(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    again = [
        replace(f, send_ns=f.send_ns + DELAY_NS[1]) for f in frames if f.exposure.index == at.index
    ]
    return [*frames, *again]


def _corrupt_frame(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    return [replace(f, corrupt=fault.target) if f.exposure.index == at.index else f for f in frames]


def _stop_camera(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    return [f for f in frames if f.exposure.index < at.index]


FRAME_FAULTS: dict[Kind, FrameFault] = {
    Kind.DROP: _drop_frames,
    Kind.DELAY: _delay_frames,
    Kind.FREEZE: _freeze_frames,
    Kind.STALE: _stale_frame,
    Kind.REORDER: _reorder_frames,
    Kind.DUPLICATE: _duplicate_frame,
    Kind.CORRUPT: _corrupt_frame,
    Kind.STOP: _stop_camera,
}
