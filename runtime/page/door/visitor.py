"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.common.people.role import Role


@dataclass(frozen=True, slots=True)
class Visitor:
    """name: "" on a page without accounts. token: what a change has to bring along (CSRF)."""

    name: str
    role: Role
    token: str
