"""The robot's clock and its latest poses, for every device that hangs on its flange."""

from __future__ import annotations

from voxgate.runtime.nouns import Pose
from voxgate.runtime.sync.clock import ClockFit, DelayModel
from voxgate.runtime.sync.poses import PoseBuffer


class RobotLine:
    """One stream of poses in order of arrival."""

    def __init__(self, delay: DelayModel | None = None) -> None:
        self.clock = ClockFit(delay)
        self.poses = PoseBuffer()

    def add(self, pose: Pose) -> bool:
        """Take the next pose; whether the clock was stepped before it. Duplicates and stragglers
        are counted only."""
        steps = self.clock.steps
        self.clock.add(pose.t_robot_ns, pose.t_arrival_ns, pose.t_awaited_ns)
        stepped = self.clock.steps != steps
        if stepped:
            self.poses.clear()
        self.poses.add(pose)
        return stepped
