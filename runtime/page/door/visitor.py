"""Who asks, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(str, Enum):
    """What an account is for; each sees what those before it see."""

    OPERATOR = "operator"  # the screen beside the line
    QUALITY = "quality"  # jobs, volumes, scores; judges verdicts
    MAINTENANCE = "maintenance"  # cameras, clocks, disk, recipes

    def covers(self, other: Role) -> bool:
        """Whether this role sees what the other one sees."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Visitor:
    """name: "" on a page without accounts. token: what a change has to bring along (CSRF)."""

    name: str
    role: Role
    token: str
