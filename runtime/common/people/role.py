"""What an account is for."""

from __future__ import annotations

from enum import Enum


class Role(str, Enum):
    """Each sees what those before it see."""

    OPERATOR = "operator"  # the screen beside the line
    QUALITY = "quality"  # jobs, volumes, scores; judges verdicts
    MAINTENANCE = "maintenance"  # cameras, clocks, disk, recipes

    def covers(self, other: Role) -> bool:
        """Whether this role sees what the other one sees."""
        order = list(Role)
        return order.index(self) >= order.index(other)
