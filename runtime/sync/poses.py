"""The robot's latest poses in order of its own clock, a bounded number of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from voxgate.runtime.nouns import Pose
from voxgate.runtime.transforms import Transform, from_position_quaternion

KEEP_NS = 5_000_000_000  # a frame is placed within some 100 ms of its exposure
MAX_POSES = 10_000  # 5 s at 1 kHz, twice over


def pose_from_robot(
    t_robot_ns: int,
    p_mm: Sequence[float],
    q_wxyz: Sequence[float],
    t_arrival_ns: int,
    t_awaited_ns: int | None = None,
) -> Pose:
    """A pose from the numbers a robot sends: flange in base, mm, [w, x, y, z].

    Raises ValueError (one line) for what is not finite or a quaternion not of unit length.
    """
    return Pose(t_robot_ns, t_arrival_ns, _place(tuple(p_mm), tuple(q_wxyz)), t_awaited_ns)


@lru_cache(maxsize=1)
def _place(p_mm: tuple[float, ...], q_wxyz: tuple[float, ...]) -> Transform:
    """Most of the day a robot stands still and says so hundreds of times a second."""
    base_from_flange = from_position_quaternion(p_mm, q_wxyz)
    base_from_flange.flags.writeable = False  # many poses have it
    return base_from_flange


@dataclass(frozen=True, slots=True)
class PoseRecord:
    """A pose as the robot sent it, its times as in nouns.Pose; seq: None where none was kept."""

    seq: int | None
    t_robot_ns: int
    t_arrival_ns: int
    p_mm: tuple[float, float, float]
    q_wxyz: tuple[float, float, float, float]
    t_awaited_ns: int | None = None

    def pose(self) -> Pose:
        """As the synchronizer takes it. Raises ValueError."""
        return pose_from_robot(
            *(self.t_robot_ns, self.p_mm, self.q_wxyz, self.t_arrival_ns, self.t_awaited_ns)
        )


class PoseBuffer:
    """Poses of one stream; what is not newer than the newest is dropped and counted."""

    def __init__(self, keep_ns: int = KEEP_NS, most: int = MAX_POSES) -> None:
        self.dropped = 0
        self._keep_ns = keep_ns
        self._most = most
        self._poses: list[Pose] = []
        self._t_ns: list[int] = []

    def __len__(self) -> int:
        return len(self._poses)

    @property
    def oldest_ns(self) -> int | None:
        """Robot stamp of the oldest pose that is kept; None while empty."""
        return self._t_ns[0] if self._t_ns else None

    def add(self, pose: Pose) -> bool:
        """Keep `pose`; False when it is a duplicate or out of order."""
        if self._t_ns and pose.t_robot_ns <= self._t_ns[-1]:
            self.dropped += 1
            return False
        self._poses.append(pose)
        self._t_ns.append(pose.t_robot_ns)
        self._forget()
        return True

    def clear(self) -> None:
        """Forget every pose: the robot's clock was stepped, or another robot speaks."""
        self._poses.clear()
        self._t_ns.clear()

    def around(self, start_ns: int, end_ns: int) -> tuple[Pose, ...] | None:
        """The poses that bracket the window [start_ns, end_ns], all between, one more each side.

        None while the stream has not gone far enough, or when it began too late.
        """
        first = bisect_right(self._t_ns, start_ns) - 2
        last = bisect_left(self._t_ns, end_ns) + 1
        if first < 0 or last >= len(self._poses):
            return None
        return tuple(self._poses[first : last + 1])

    def reaches_back_to(self, start_ns: int) -> bool:
        """Whether two poses at or before `start_ns` are kept: no later pose can change a no."""
        return bisect_right(self._t_ns, start_ns) >= 2

    def _forget(self) -> None:
        too_old = bisect_left(self._t_ns, self._t_ns[-1] - self._keep_ns)
        surplus = max(too_old, len(self._t_ns) - self._most)
        # in blocks: taking one from the front of a list moves all the others
        if surplus > self._most // 4 or (surplus and surplus * 2 > len(self._t_ns)):
            del self._poses[:surplus]
            del self._t_ns[:surplus]


def largest_gap_ns(poses: tuple[Pose, ...]) -> int:
    """The longest time between two neighbours, robot clock."""
    return max(after.t_robot_ns - before.t_robot_ns for before, after in pairwise(poses))
