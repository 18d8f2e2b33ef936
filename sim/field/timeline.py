"""What happened at the cell while a scan was recorded, on one time line that starts at 0.

The recording holds three clocks. Robot and camera are laid over each other by the smallest delay
each of them ever had on its way to the host: the minimum hardly depends on the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.rotations import interpolated, quaternions
from voxgate.runtime.scans.scan import FrameRecord, Scan

Nanoseconds = npt.NDArray[np.int64]

# around an exposure time keeps its pace: the arm stands, and poses bracket the exposure
GUARD_NS = 40_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The flange in the robot's base at `t_ns` of the time line."""

    t_ns: int
    p_mm: tuple[float, float, float]
    q_wxyz: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Exposure:
    """A device exposes from `t_ns` for `exposure_ns`; `index` is its frame in the scan."""

    t_ns: int
    exposure_ns: int
    index: int

    @property
    def end_ns(self) -> int:
        """End of the exposure on the time line."""
        return self.t_ns + self.exposure_ns


@dataclass(frozen=True, slots=True)
class Timeline:
    """All streams of one scan as they happened, before any clock and any network.

    readout_ns: exposure end to first byte on the network. sensed: of a sensor beside the camera.
    """

    samples: tuple[Sample, ...]
    exposures: tuple[Exposure, ...]
    readout_ns: int
    sensed: tuple[Exposure, ...] = ()
    sensor_readout_ns: int = 0

    @property
    def last_exposure_ns(self) -> int:
        """The end of the last one."""
        return max(each.end_ns for each in (*self.exposures, *self.sensed))

    @property
    def end_ns(self) -> int:
        """The later of the last pose and the last frame's readout."""
        readout_ns = max(self.readout_ns, self.sensor_readout_ns)
        return max(self.samples[-1].t_ns, self.last_exposure_ns + readout_ns)


def sensed_frames(scan: Scan) -> tuple[FrameRecord, ...]:
    """Of the sensor beside the camera; what was recorded as one exposure of both is both's."""
    if scan.calibration.sensor is None:
        return ()
    return scan.sensor_frames or tuple(each for each in scan.frames if each.depth is not None)


def timelines_from_cameras(cameras: Mapping[str, Scan], speed: float = 1.0) -> dict[str, Timeline]:
    """Of each camera of a cell, on one time line."""
    every = [_all_exposures(scan) for scan in cameras.values()]
    return {name: timeline_from_scan(scan, speed, every) for name, scan in cameras.items()}


def _zero_ns(scan: Scan) -> int:
    """Of the time line, on the host's clock."""
    robot_ns = np.array([pose.t_robot_ns for pose in scan.poses])
    lag_ns = np.array([pose.t_arrival_ns for pose in scan.poses]) - robot_ns
    return int(robot_ns[0] + lag_ns.min())


def _all_exposures(scan: Scan) -> tuple[Nanoseconds, Nanoseconds]:
    return _seen(scan.frames, scan.calibration.readout_ns, _zero_ns(scan))


def timeline_from_scan(
    scan: Scan, speed: float = 1.0, beside: Sequence[tuple[Nanoseconds, Nanoseconds]] = ()
) -> Timeline:
    """The time line of `scan`; the arm is `speed` times as fast between the exposures.

    With speed 1 every sample is the recorded one; else the path is resampled at the recorded rate.
    beside: start and length of exposures of other cameras, at which it stands as well.
    """
    known = scan.calibration
    robot_ns = np.array([pose.t_robot_ns for pose in scan.poses])
    robot_lag_ns = np.array([pose.t_arrival_ns for pose in scan.poses]) - robot_ns
    zero_ns = int(robot_ns[0] + robot_lag_ns.min())
    pose_ns = robot_ns + robot_lag_ns.min() - zero_ns
    sensed = sensed_frames(scan)
    seen = _seen(scan.frames, known.readout_ns, zero_ns)
    felt = _seen(
        sensed, known.of_depth.readout_ns if scan.sensor_frames else known.readout_ns, zero_ns
    )
    warp = Warp.around(*_in_order(seen, felt, *beside), int(pose_ns[-1]), speed)
    matrices = np.stack([pose.base_from_flange for pose in scan.poses])
    samples = _samples(pose_ns, matrices, warp) if speed != 1.0 else _recorded(pose_ns, matrices)
    return Timeline(
        samples,
        _exposures(*seen, warp),
        known.readout_ns,
        _exposures(*felt, warp),
        known.of_depth.readout_ns,
    )


def _seen(
    frames: Sequence[FrameRecord], readout_ns: int, zero_ns: int
) -> tuple[Nanoseconds, Nanoseconds]:
    """Start and length of each exposure of one device, on the time line."""
    if not frames:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    device_ns = np.array([frame.t_device_ns for frame in frames])
    exposure_ns = np.array([frame.exposure_ns for frame in frames])
    arrival_ns = np.array([frame.t_arrival_ns for frame in frames])
    lag_ns = arrival_ns - exposure_ns - readout_ns - device_ns
    return device_ns + lag_ns.min() - zero_ns, exposure_ns


def _in_order(
    *devices: tuple[Nanoseconds, Nanoseconds],
) -> tuple[Nanoseconds, Nanoseconds]:
    start_ns = np.concatenate([start for start, _ in devices])
    order = np.argsort(start_ns, kind="stable")
    return start_ns[order], np.concatenate([length for _, length in devices])[order]


def _exposures(start_ns: Nanoseconds, exposure_ns: Nanoseconds, warp: Warp) -> tuple[Exposure, ...]:
    return tuple(
        Exposure(int(start), int(length), index)
        for index, (start, length) in enumerate(
            zip(warp.played_ns(start_ns), exposure_ns, strict=True)
        )
    )


@dataclass(frozen=True, slots=True)
class Warp:
    """Recorded time to played time: 1:1 around every exposure, `speed` times faster elsewhere."""

    recorded: npt.NDArray[np.float64]
    played: npt.NDArray[np.float64]

    @classmethod
    def around(
        cls, start_ns: Nanoseconds, exposure_ns: Nanoseconds, end_ns: int, speed: float
    ) -> Warp:
        """The warp of one scan, from 0 to `end_ns`."""
        edges = np.stack([start_ns - GUARD_NS, start_ns + exposure_ns + GUARD_NS], axis=1).ravel()
        knots = np.maximum.accumulate(np.concatenate([[0], edges, [max(end_ns, edges[-1])]]))
        pace = np.where(np.arange(len(knots) - 1) % 2 == 1, 1.0, 1.0 / speed)
        played = np.concatenate([[0.0], np.cumsum(np.diff(knots) * pace)])
        return cls(knots.astype(np.float64), played)

    def played_ns(self, recorded_ns: Nanoseconds) -> Nanoseconds:
        """Played time of recorded moments, ns."""
        return np.rint(np.interp(recorded_ns, self.recorded, self.played)).astype(np.int64)

    def recorded_ns(self, played_ns: Nanoseconds) -> Nanoseconds:
        """Recorded moment of played times, ns."""
        return np.rint(np.interp(played_ns, self.played, self.recorded)).astype(np.int64)


def _recorded(t_ns: Nanoseconds, base_from_flange: npt.NDArray[np.float64]) -> tuple[Sample, ...]:
    p_mm = base_from_flange[:, :3, 3].tolist()
    q_wxyz = quaternions(base_from_flange[:, :3, :3]).tolist()
    return tuple(
        Sample(int(t), (p[0], p[1], p[2]), (q[0], q[1], q[2], q[3]))
        for t, p, q in zip(t_ns, p_mm, q_wxyz, strict=True)
    )


def _samples(
    t_ns: Nanoseconds, base_from_flange: npt.NDArray[np.float64], warp: Warp
) -> tuple[Sample, ...]:
    period_ns = int(np.median(np.diff(t_ns)))
    played_ns = np.arange(0, int(warp.played_ns(t_ns[-1:])[0]), period_ns)
    at_ns = np.clip(warp.recorded_ns(played_ns), t_ns[0], t_ns[-1])
    path = np.tile(np.eye(4), (len(at_ns), 1, 1))
    known, at = t_ns.astype(np.float64), at_ns.astype(np.float64)
    path[:, :3, :3] = interpolated(at, known, base_from_flange[:, :3, :3])
    for axis in range(3):
        path[:, axis, 3] = np.interp(at_ns, t_ns, base_from_flange[:, axis, 3])
    return _recorded(played_ns, path)
