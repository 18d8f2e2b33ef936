"""Peers that were cut off, as counts and as faults: each of them once, then now and then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from voxgate.runtime.telemetry.faults import Faults
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.door.connections import Cause, CutOff
from voxgate.runtime.wire.published import FaultCode

AGAIN_NS = 10_000_000_000
MOST_PEERS = 100  # that are told apart

SENTENCES = {
    Cause.FLOOD: "sent more than a peer of {role} may",
    Cause.TOO_LARGE: "sent a message to {role} that is larger than any",
    Cause.SUBSCRIPTIONS: "subscribed to more than there is",
    Cause.TOO_MANY: "has too many connections to {role}",
    Cause.RESTLESS: "connects to {role} again and again: too large a frame, or a program in a loop",
    Cause.SILENT: "left many connections to {role} open without saying who it is",
}

_Key = tuple[str, str, Cause]


class CutPeers:
    """Of one cell."""

    def __init__(self, faults: Faults, metrics: Metrics) -> None:
        self._faults = faults
        self._metrics = metrics
        self._waiting: Counter[_Key] = Counter()
        self._told_ns: dict[_Key, int] = {}

    def note(self, cut: Iterable[CutOff], now_ns: int) -> None:
        """Count them; tell of each peer, if it was not told of just now."""
        for each in cut:
            self._metrics.cut_off.labels(each.role, each.cause.value).inc()
            self._metrics.peer_failed(each.name)
            self._waiting[self._key(each)] += 1
        for key in [key for key in self._waiting if self._is_due(key, now_ns)]:
            self._tell(key, self._waiting.pop(key), now_ns)

    def _key(self, cut: CutOff) -> _Key:
        who = f"{cut.name} at {cut.place}" if cut.name else f"a peer at {cut.place}"
        key = (cut.role, who, cut.cause)
        known = key in self._told_ns or key in self._waiting
        return key if known or len(self._told_ns) < MOST_PEERS else (cut.role, "others", cut.cause)

    def _is_due(self, key: _Key, now_ns: int) -> bool:
        return now_ns - self._told_ns.get(key, now_ns - AGAIN_NS) >= AGAIN_NS

    def _tell(self, key: _Key, count: int, now_ns: int) -> None:
        role, who, cause = key
        self._told_ns = {
            each: at_ns for each, at_ns in self._told_ns.items() if now_ns - at_ns < AGAIN_NS
        } | {key: now_ns}
        times = f" ({count} times)" if count > 1 else ""
        what = SENTENCES[cause].format(role=role)
        self._faults.tell(FaultCode.PEER, f"{who} {what}: cut off{times}", now_ns)
