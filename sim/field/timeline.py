"""What happened at the cell while a scan was recorded, on one time line that starts at 0.

The recording holds three clocks. Robot and camera are laid over each other by the smallest delay
each of them ever had on its way to the host: the minimum hardly depends on the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation, Slerp

from voxgate.runtime.scans.scan import Scan

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
    """The camera exposes from `t_ns` for `exposure_ns`; `index` is the frame in the scan."""

    t_ns: int
    exposure_ns: int
    index: int

    @property
    def end_ns(self) -> int:
        """End of the exposure on the time line."""
        return self.t_ns + self.exposure_ns


@dataclass(frozen=True, slots=True)
class Timeline:
    """Both streams of one scan as they happened, before any clock and any network."""

    samples: tuple[Sample, ...]
    exposures: tuple[Exposure, ...]
    readout_ns: int  # exposure end to first byte on the network

    @property
    def end_ns(self) -> int:
        """The later of the last pose and the last frame's readout."""
        return max(self.samples[-1].t_ns, self.exposures[-1].end_ns + self.readout_ns)


def timeline_from_scan(scan: Scan, speed: float = 1.0) -> Timeline:
    """The time line of `scan`; the arm is `speed` times as fast between the exposures.

    With speed 1 every sample is the recorded one; else the path is resampled at the recorded rate.
    """
    readout_ns = scan.calibration.readout_ns
    robot_ns = np.array([pose.t_robot_ns for pose in scan.poses])
    robot_lag_ns = np.array([pose.t_arrival_ns for pose in scan.poses]) - robot_ns
    camera_ns = np.array([frame.t_device_ns for frame in scan.frames])
    exposure_ns = np.array([frame.exposure_ns for frame in scan.frames])
    arrival_ns = np.array([frame.t_arrival_ns for frame in scan.frames])
    camera_lag_ns = arrival_ns - exposure_ns - readout_ns - camera_ns

    zero_ns = int(robot_ns[0] + robot_lag_ns.min())
    pose_ns = robot_ns + robot_lag_ns.min() - zero_ns
    start_ns = camera_ns + camera_lag_ns.min() - zero_ns
    warp = Warp.around(start_ns, exposure_ns, int(pose_ns[-1]), speed)
    exposures = tuple(
        Exposure(int(start), int(length), index)
        for index, (start, length) in enumerate(
            zip(warp.played_ns(start_ns), exposure_ns, strict=True)
        )
    )
    matrices = np.stack([pose.base_from_flange for pose in scan.poses])
    samples = _samples(pose_ns, matrices, warp) if speed != 1.0 else _recorded(pose_ns, matrices)
    return Timeline(samples, exposures, readout_ns)


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
    q_xyzw = Rotation.from_matrix(base_from_flange[:, :3, :3]).as_quat()
    return tuple(
        Sample(int(t), (p[0], p[1], p[2]), (q[3], q[0], q[1], q[2]))
        for t, p, q in zip(t_ns, base_from_flange[:, :3, 3].tolist(), q_xyzw.tolist(), strict=True)
    )


def _samples(
    t_ns: Nanoseconds, base_from_flange: npt.NDArray[np.float64], warp: Warp
) -> tuple[Sample, ...]:
    period_ns = int(np.median(np.diff(t_ns)))
    played_ns = np.arange(0, int(warp.played_ns(t_ns[-1:])[0]), period_ns)
    at_ns = np.clip(warp.recorded_ns(played_ns), t_ns[0], t_ns[-1])
    path = np.tile(np.eye(4), (len(at_ns), 1, 1))
    turn = Slerp(t_ns, Rotation.from_matrix(base_from_flange[:, :3, :3]))
    path[:, :3, :3] = turn(at_ns).as_matrix()
    for axis in range(3):
        path[:, axis, 3] = np.interp(at_ns, t_ns, base_from_flange[:, axis, 3])
    return _recorded(played_ns, path)
