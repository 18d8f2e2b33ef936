"""Which retained messages follow from what a cell says: the state when it changes, each verdict.

    PREFIX/CELL/online   true, or false: the cell is silent, or nobody mirrors it
    PREFIX/CELL/state    of the last heartbeat
    PREFIX/CELL/verdict  the last one, as it is on the wire

No clock in here, and no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from voxgate.runtime.remote.client import Said
from voxgate.runtime.wire.published import HeartbeatMessage

ONLINE, STATE, VERDICT = "online", "state", "verdict"
TRUE, FALSE = b"true", b"false"
TOLD = {"state", "recipe", "preparing", "is_fallback", "job_id", "is_simulated"}
TOLD |= {"cameras", "unacknowledged", "oldest_unacknowledged", "error"}
"""Of a heartbeat: what a display wants to know and what does not change with every beat."""


@dataclass(frozen=True, slots=True)
class Retained:
    """What a broker keeps of a topic, for whoever subscribes later."""

    topic: str
    payload: bytes


class Mirror:
    """What the broker should hold about one cell."""

    def __init__(self, prefix: str, cell: str) -> None:
        self._root = f"{prefix}/{cell}"
        self._held: dict[str, bytes] = {ONLINE: FALSE}

    def topic(self, name: str) -> str:
        """Of this cell."""
        return f"{self._root}/{name}"

    def hear(self, said: Said | None) -> list[Retained]:
        """What changed; None: the cell is silent. A verdict always counts as a change."""
        return [Retained(self.topic(name), payload) for name, payload in self._changes(said)]

    def everything(self) -> list[Retained]:
        """For a broker that has forgotten, or never knew."""
        return [Retained(self.topic(name), payload) for name, payload in list(self._held.items())]

    def _changes(self, said: Said | None) -> Iterator[tuple[str, bytes]]:
        if said is None:
            yield from self._hold(ONLINE, FALSE)
            return
        if isinstance(said, HeartbeatMessage):
            yield from self._hold(STATE, _state(said))
            yield from self._hold(ONLINE, TRUE)
            return
        self._held[VERDICT] = said.to_json()
        yield VERDICT, self._held[VERDICT]

    def _hold(self, name: str, payload: bytes) -> Iterator[tuple[str, bytes]]:
        if self._held.get(name) != payload:
            self._held[name] = payload
            yield name, payload


def _state(beat: HeartbeatMessage) -> bytes:
    return json.dumps(beat.model_dump(mode="json", include=TOLD), ensure_ascii=False).encode()
