"""Who may use which of the sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Role = Literal["poses", "commands", "verdicts", "frames", "pictures"]


ROLES: tuple[Role, ...] = ("poses", "commands", "verdicts", "frames", "pictures")


Right = Literal["operate", "recipes", "maintain"]
"""What a peer of the role commands may ask for: jobs; another recipe; reset and rollback.

Whoever may command may ask how things stand."""

RIGHTS: tuple[Right, ...] = ("operate", "recipes", "maintain")


@dataclass(frozen=True, slots=True)
class Access:
    """The box's own key file, and which public keys may use the sockets of which role.

    names: of the peers, by key; rights: what they may command, by name.
    """

    secret_key: Path
    allowed: Mapping[Role, frozenset[str]]
    names: Mapping[str, str] = field(default_factory=dict)
    rights: Mapping[str, frozenset[Right]] = field(default_factory=dict)

    def name_of(self, key: str) -> str:
        """For logs and records; where nobody gave one, the beginning of the key."""
        return self.names.get(key, key[:8])
