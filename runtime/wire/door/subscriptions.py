"""How much each peer subscribes to: libzmq keeps it, some forty bytes for each byte of a topic."""

from __future__ import annotations

from collections import Counter

MOST_BYTES = 16 * 1024  # of topics under one name; the box has four of them
SUBSCRIBE, UNSUBSCRIBE = b"\x01", b"\x00"  # then the topic, as XPUB tells it


class Subscriptions:
    """Of one PUB; a peer is known by its name, or by its address."""

    def __init__(self) -> None:
        self._bytes: Counter[str] = Counter()

    def heard(self, who: str, told: bytes) -> bool:
        """Whether this peer may have what it asks for, too."""
        ends = told[:1] == UNSUBSCRIBE
        self._bytes[who] = max(0, self._bytes[who] + (-len(told) if ends else len(told)))
        return self._bytes[who] <= MOST_BYTES

    def gone(self, who: str) -> None:
        """Its last connection has ended, and what it subscribed to with it."""
        self._bytes.pop(who, None)


def asks_for(told: bytes, topic: bytes) -> bool:
    """Whether this is a subscription that covers `topic`."""
    return told[:1] == SUBSCRIBE and topic.startswith(told[1:])
