"""Flying capture: the robot does not stop, and the camera is triggered on its way.

Frames come from the virtual GenICam camera through its producer and harvesters, in real time. The
poses are those of a flange on a straight line at constant speed, on a controller's own clock and
over a network with outliers. The camera keeps the true time of every exposure to itself, so that
what the runtime claims can be held against where the camera truly was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.runtime.cameras.genicam.source import GenicamSource
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings
from voxgate.runtime.cameras.setup import CameraSetup, PtpLimits, Trigger
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import Frame, Pose, View
from voxgate.runtime.sync.rejection import Rejection
from voxgate.runtime.sync.stamps import Stamps
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.transforms import Transform, invert
from voxgate.sim.gentl.spec import CameraSpec, Clock, Ptp, Timing
from voxgate.sim.gentl.truth import Truth
from voxgate.sim.gentl.virtual_camera import VirtualCamera

NS_PER_S = 1_000_000_000
MS = 1_000_000
SIZE_PX = (64, 48)
EXPOSURE_US = 2000.0
POSE_PERIOD_NS = 8 * MS
LEAD_NS = 1 * NS_PER_S  # poses before the first exposure
TRAIL_NS = NS_PER_S // 2
PATIENCE_S = 5.0

ROBOT_OFFSET_NS, ROBOT_DRIFT_PPM = 70_000 * NS_PER_S, 11.0
CAMERA_DRIFT_PPM = -20.0
CAMERA_JITTER_NS = 2_000
ROBOT_PTP_ERROR_NS = 30_000  # a controller that stamps in software
PTP_ERROR_NS = 100_000  # what the cell's configuration claims (sync.ptp_error_us)
LINE = np.array([0.8, 0.6, 0.0])  # unit vector in the base


class Clocking(str, Enum):
    """How the time of an exposure is known."""

    PTP = "device stamps, PTP at camera and robot"
    ESTIMATED = "device stamps, clocks estimated"
    ARRIVAL = "host arrival only"


@dataclass(frozen=True, slots=True)
class Shots:
    """Frames as the runtime got them, and the truth about each."""

    frames: tuple[Frame, ...]
    truths: tuple[Truth, ...]


@dataclass(frozen=True, slots=True)
class Flight:
    """What became of the frames of one flight; mm. Refused ones have no error.

    claimed_mm: what the runtime says each may be off by; error_mm: what each is off by.
    """

    speed_mm_s: float
    claimed_mm: npt.NDArray[np.float64]
    error_mm: npt.NDArray[np.float64]
    refused: int

    @property
    def honest(self) -> bool:
        """Whether every error stays inside its claim."""
        return bool((self.error_mm <= self.claimed_mm).all())


def shoot(producer: Path, serial: str, count: int, period_ns: int, *, ptp: bool) -> Shots:
    """Trigger `count` frames, `period_ns` apart give or take a fifth, and take them all.

    Raises CameraError, or TimeoutError when a frame does not come.
    """
    setup = CameraSetup(
        exposure_us=EXPOSURE_US,
        trigger=Trigger("Line1"),
        chunks=("Timestamp", "ExposureTime"),
        ptp=PtpLimits(PTP_ERROR_NS / 1000, 5000) if ptp else None,
    )
    source = GenicamSettings(
        str(producer),
        serial,
        setup=setup,
        timestamp_node="ChunkTimestamp",
        exposure_node="ChunkExposureTime",
    )
    settings = CameraSettings("cam0", source, *SIZE_PX, depth=False)
    random = np.random.default_rng(7)
    gaps_ns = period_ns * random.uniform(0.8, 1.2, count)
    with VirtualCamera(_spec(serial)) as camera:
        camera.show(0, random.integers(0, 256, SIZE_PX[::-1]).astype(np.uint8))
        taker = GenicamSource(settings, source)
        taker.open()
        try:
            frames, truths = _shoot(camera, taker, gaps_ns.astype(np.int64).tolist())
        finally:
            taker.close()
    return Shots(tuple(frames), tuple(truths))


def _spec(serial: str) -> CameraSpec:
    return CameraSpec(
        serial,
        *SIZE_PX,
        clock=Clock(3_000 * NS_PER_S, CAMERA_DRIFT_PPM, CAMERA_JITTER_NS),
        ptp=Ptp(settle_ns=200 * MS, residual_ns=500),
        timing=Timing(readout_ns=18 * MS, late_permille=20, late_ns=10 * MS),
    )


def _shoot(
    camera: VirtualCamera, source: GenicamSource, gaps_ns: Sequence[int]
) -> tuple[list[Frame], list[Truth]]:
    frames: list[Frame] = []
    truths: list[Truth] = []
    due_ns = time.monotonic_ns()
    for gap_ns in gaps_ns:
        due_ns += gap_ns
        camera.fire(due_ns)
        deadline = time.monotonic() + PATIENCE_S
        while len(truths) <= len(frames) or time.monotonic_ns() < due_ns:
            item = source.take()
            if isinstance(item, Frame):
                frames.append(item)
                truths += camera.truths()
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"frame {len(frames)} did not come: {item}")
            time.sleep(0.0002)
    return frames, truths


def fly(
    shots: Shots,
    calibration: Calibration,
    clocking: Clocking,
    speed_mm_s: float,
    limit_mm: float,
    settled: int,
) -> Flight:
    """Have the runtime place the frames of a robot at this speed; the first `settled` only serve
    the clocks.
    """
    calibration = replace(calibration, width_px=SIZE_PX[0], height_px=SIZE_PX[1])
    path = _Path(calibration, speed_mm_s, shots.truths[0].t_start_ns)
    stamps = {
        Clocking.PTP: Stamps(shared_ns=PTP_ERROR_NS),
        Clocking.ESTIMATED: Stamps(),
        Clocking.ARRIVAL: Stamps(on_arrival=True),
    }[clocking]
    sync = Synchronizer(calibration, DEFAULTS.max_gap_ns, limit_mm, stamps=stamps)
    frames = [_stamped(frame, clocking) for frame in shots.frames]
    results = _results(sync, path.poses(shots, ptp=clocking is Clocking.PTP), frames)
    return _flight(results, shots, path, speed_mm_s, settled)


def _stamped(frame: Frame, clocking: Clocking) -> Frame:
    if clocking is not Clocking.ARRIVAL:
        return frame
    return replace(frame, t_device_ns=frame.t_arrival_ns - frame.exposure_ns)


def _results(
    sync: Synchronizer, poses: Sequence[Pose], frames: Sequence[Frame]
) -> list[View | Rejection]:
    results: list[View | Rejection] = []
    events: list[Pose | Frame] = [*poses, *frames]
    for event in sorted(events, key=lambda event: event.t_arrival_ns):
        if isinstance(event, Frame):
            sync.add_frame(event)
        else:
            sync.add_pose(event)
        results += sync.take(event.t_arrival_ns)
    return results + sync.close()


def _flight(
    results: Sequence[View | Rejection],
    shots: Shots,
    path: _Path,
    speed_mm_s: float,
    settled: int,
) -> Flight:
    truths = {truth.frame_id: truth for truth in shots.truths[settled:]}
    claimed, errors, refused = [], [], 0
    for result in results:
        truth = truths.get(result.frame_id)
        if truth is None:
            continue
        if isinstance(result, Rejection):
            refused += 1
            continue
        true = path.part_from_camera(truth.t_start_ns + truth.exposure_ns // 2)
        claimed.append(result.uncertainty_mm)
        errors.append(float(np.linalg.norm(result.part_from_camera[:3, 3] - true[:3, 3])))
    return Flight(speed_mm_s, np.array(claimed), np.array(errors), refused)


class _Path:
    """A straight line through the first planned view; host monotonic time."""

    def __init__(self, calibration: Calibration, speed_mm_s: float, zero_ns: int) -> None:
        self._calibration = calibration
        self._speed_mm_s = speed_mm_s
        self._zero_ns = zero_ns
        camera = calibration.mounting.part @ calibration.planned[0]
        self._start = camera @ invert(calibration.mounting.camera)

    def base_from_flange(self, t_host_ns: int) -> Transform:
        moved: Transform = self._start.copy()
        moved[:3, 3] += LINE * self._speed_mm_s * (t_host_ns - self._zero_ns) / NS_PER_S
        return moved

    def part_from_camera(self, t_host_ns: int) -> Transform:
        return self._calibration.part_from_camera(self.base_from_flange(t_host_ns))

    def poses(self, shots: Shots, *, ptp: bool) -> list[Pose]:
        """125 Hz around all exposures, late by 0.2 ms and more, in order."""
        random = np.random.default_rng(11)
        first_ns = shots.truths[0].t_start_ns - LEAD_NS
        times_ns = range(first_ns, shots.frames[-1].t_arrival_ns + TRAIL_NS, POSE_PERIOD_NS)
        poses, arrived_ns = [], 0
        for t_ns in times_ns:
            late_ms = 10 + 4 * random.random() if random.random() < 0.02 else random.gamma(2, 0.25)
            arrived_ns = max(arrived_ns + 20_000, t_ns + round((0.2 + late_ms) * MS))
            poses.append(Pose(_robot_ns(t_ns, ptp=ptp), arrived_ns, self.base_from_flange(t_ns)))
        return poses


def _robot_ns(t_host_ns: int, *, ptp: bool) -> int:
    if ptp:
        wander = math.sin(2 * math.pi * (t_host_ns / NS_PER_S) / 5.0)
        return t_host_ns + Ptp().master_minus_host_ns + round(ROBOT_PTP_ERROR_NS * wander)
    return t_host_ns + ROBOT_OFFSET_NS + round(t_host_ns * ROBOT_DRIFT_PPM * 1e-6)
