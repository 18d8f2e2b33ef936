"""How much a peer may send: so much at once, and so much a second in the long run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voxgate.runtime.common.access import Role

KIB = 1024
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """Of one connection, in bytes as they come from the network, encryption included.

    unread_bytes, looks: of a socket file, whose bytes nobody counts: what may wait to be read when
    somebody looks, so many times in a row.
    """

    burst_bytes: int
    bytes_per_s: int
    unread_bytes: int = 32 * KIB
    looks: int = 3


# some topics at the beginning, then only the pings of its socket
_LISTENS = Allowance(64 * KIB, 4 * KIB, unread_bytes=4 * KIB, looks=1)
ALLOWANCES: Mapping[Role, Allowance] = {
    # a robot at 1 kHz sends 270 kB/s; after a stall its queue of some seconds comes at once
    "poses": Allowance(1024 * KIB, 512 * KIB),
    # a command is at most 4 KiB, and is answered before the next one makes sense
    "commands": Allowance(128 * KIB, 64 * KIB),
    "verdicts": _LISTENS,
    "pictures": _LISTENS,
}
"""Of what the service binds; frames are as large as the camera's, see cameras.network."""


@dataclass(slots=True)
class Budget:
    """What is left of an allowance."""

    allowance: Allowance
    seen_ns: int
    left_bytes: float = 0.0

    def __post_init__(self) -> None:
        self.left_bytes = self.allowance.burst_bytes

    def spend(self, used_bytes: int, now_ns: int) -> bool:
        """Whether it was enough.

        What was earned since the last look counts in full: after a pause of this process all that
        came meanwhile is seen at once.
        """
        earned = (now_ns - self.seen_ns) / NS_PER_S * self.allowance.bytes_per_s
        self.seen_ns = now_ns
        left = self.left_bytes + earned - used_bytes
        self.left_bytes = min(left, self.allowance.burst_bytes)
        return left >= 0

    def refill(self) -> None:
        """As at the beginning."""
        self.left_bytes = self.allowance.burst_bytes

    @property
    def is_half_spent(self) -> bool:
        """Time to look more often."""
        return self.left_bytes < self.allowance.burst_bytes / 2
