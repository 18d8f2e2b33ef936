"""What is known of a cell, and which verdict may be shown: that of the last job, and no older one.

No clock in here, no network and no OPC UA.
"""

from __future__ import annotations

from collections import OrderedDict

from voxgate.runtime.remote.client import Said
from voxgate.runtime.wire.published import HeartbeatMessage
from voxgate.runtime.wire.verdict import VerdictMessage

REMEMBERED = 100  # verdicts that may be asked for by their result


class Known:
    """Of one cell. beat None: it is silent, or was never heard."""

    def __init__(self) -> None:
        self.beat: HeartbeatMessage | None = None
        self._awaited: str | None = None
        self._last: VerdictMessage | None = None
        self._verdicts: OrderedDict[str, VerdictMessage] = OrderedDict()

    @property
    def verdict(self) -> VerdictMessage | None:
        """Of the last job; None: that one has none yet, or nobody knows."""
        last = self._last
        if self.beat is None or last is None or self._awaited not in (None, last.job_id):
            return None
        return last

    @property
    def open_job(self) -> str | None:
        """What `Stop` stops: the last one heard of, which has no verdict yet."""
        awaited = self._awaited
        if self.beat is None or awaited is None or not self._is_news(awaited):
            return None
        return awaited

    def hear(self, said: Said | None) -> None:
        """None: three heartbeats are missing. What was known of a part is no longer believed."""
        if isinstance(said, VerdictMessage):
            self.decided(said)
            return
        self.beat = said
        if said is None:
            self._last = None
        elif said.job_id is not None and self._is_news(said.job_id):
            self._awaited = said.job_id

    def started(self, job_id: str) -> None:
        """By our own call: what lies there is another part from here on."""
        self._awaited = job_id

    def decided(self, verdict: VerdictMessage) -> None:
        """A verdict, published or answered; also twice."""
        self._verdicts[verdict.result_id] = self._last = verdict
        while len(self._verdicts) > REMEMBERED:
            self._verdicts.popitem(last=False)

    def result(self, result_id: str) -> VerdictMessage | None:
        """One of the last REMEMBERED."""
        return self._verdicts.get(result_id)

    def _is_news(self, job_id: str) -> bool:
        """A heartbeat may have been on its way since before the verdict."""
        return all(verdict.job_id != job_id for verdict in self._verdicts.values())
