"""Who may use which of the sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Role = Literal["poses", "commands", "verdicts", "frames"]


ROLES: tuple[Role, ...] = ("poses", "commands", "verdicts", "frames")


@dataclass(frozen=True, slots=True)
class Access:
    """The box's own key file, and which public keys may use the sockets of which role.

    names: of the peers, by key.
    """

    secret_key: Path
    allowed: Mapping[Role, frozenset[str]]
    names: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, key: str) -> str:
        """For logs and records; where nobody gave one, the beginning of the key."""
        return self.names.get(key, key[:8])
