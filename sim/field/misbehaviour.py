"""What each fault does to the poses and frames of a job: one small function per kind of fault.

Each takes what is to be sent, the fault, the exposure it is tied to and the job's own randomness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from voxgate.sim.field.events import FrameSend, PoseSend
from voxgate.sim.field.faults import Fault, Kind, Target
from voxgate.sim.field.timeline import Exposure, Sample

# poses spoiled by `nan` and `quaternion`: this long before and after the exposure
SPOILED_NS = 30_000_000
NOT_UNIT = 1.1
# a frame that comes twice, or in the wrong place, is this far behind the other one
BEHIND_NS = 2_000_000


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
    behind_ns = following.send_ns + BEHIND_NS
    return [replace(f, send_ns=behind_ns) if f.exposure.index == at.index else f for f in frames]


def _duplicate_frame(
    frames: list[FrameSend], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[FrameSend]:
    again = [
        replace(f, send_ns=f.send_ns + BEHIND_NS) for f in frames if f.exposure.index == at.index
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
