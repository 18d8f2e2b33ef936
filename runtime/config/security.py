"""The door's part of a cell's YAML: keys of the box, of its peers, and of who signs recipes."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from voxgate.runtime.common.access import RIGHTS, ROLES, Access, Right, Role
from voxgate.runtime.config.fields import FilePath, Name, Section, about

Z85 = r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}$"
Z85_ORDER = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
ED25519 = r"^[0-9a-f]{64}$"


def _is_a_key(value: str) -> str:
    """Refuses what has the look of a CURVE key (RFC 32) and can be none."""
    groups = (value[at : at + 5] for at in range(0, len(value), 5))
    words = [reduce(lambda sum_, each: sum_ * 85 + Z85_ORDER.index(each), g, 0) for g in groups]
    if max(words) >= 1 << 32 or not any(words):
        raise ValueError("is no CURVE key: copy the line that `voxgate keys peer` prints")
    return value


class Peer(Section):
    """One program that may connect, and what for."""

    name: Annotated[Name, about("Name", "for people")]
    public_key: Annotated[
        str,
        Field(pattern=Z85),
        AfterValidator(_is_a_key),
        about("Public key", "as `voxgate keys` says"),
    ]
    roles: Annotated[
        tuple[Role, ...],
        Field(min_length=1, max_length=len(ROLES)),
        about("Roles", "poses, frames: may send them; commands; verdicts, pictures: may listen"),
    ]
    may: Annotated[
        tuple[Right, ...],
        Field(min_length=1, max_length=len(RIGHTS)),
        about(
            "May",
            "as commands. operate: jobs; recipes: prepare_recipe; maintain: reset, rollback",
        ),
    ] = RIGHTS


class Security(Section):
    """CURVE on all sockets: who is not listed does not get through the handshake."""

    secret_key: Annotated[FilePath, about("Secret key", "the box's own; only its user reads it")]
    peers: Annotated[
        tuple[Peer, ...], Field(min_length=1, max_length=1000), about("Peers", "the allow-list")
    ]

    def access(self) -> Access:
        """As the sockets take it."""
        return Access(
            Path(self.secret_key),
            {
                role: frozenset(peer.public_key for peer in self.peers if role in peer.roles)
                for role in ROLES
            },
            {peer.public_key: peer.name for peer in self.peers},
            {peer.name: frozenset(peer.may) for peer in self.peers},
        )


class Signer(Section):
    """Somebody whose recipes this cell serves."""

    name: Annotated[Name, about("Name", "for people; it stands in the log")]
    public_key: Annotated[
        str, Field(pattern=ED25519), about("Public key", "Ed25519, as `voxgate keys signer` says")
    ]
