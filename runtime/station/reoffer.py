"""A verdict that nobody acknowledged is said again: late, a few times, at a bounded pace.

Which ones are open the journal knows: an acknowledged one is found out when its turn comes. What is
kept here is only when each is due, so that neither a restart nor a robot that never acknowledges
makes it much.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.common.timings import FOREVER_NS
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.telemetry.faults import Publish
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.published import OfferMessage, offer_topic

log = logging.getLogger(__name__)

MOST = 32  # the newest; older ones can be asked for
MAX_AGE = timedelta(hours=24)  # when it begins: a part of yesterday is nobody's part in hand
PACE_NS = 100_000_000  # between two of them, whoever subscribes however often


@dataclass(slots=True)
class _Open:
    offered: int
    left: int
    due_ns: int


class Offers:
    """When which result is due again. period_ns: between two offers of one; times: how many."""

    def __init__(self, period_ns: int, times: int) -> None:
        self._period_ns = period_ns
        self._times = times
        self._open: dict[str, _Open] = {}
        self._free_ns = 0

    def decided(self, result_id: str, now_ns: int) -> None:
        """It was just published for the first time."""
        self._open[result_id] = _Open(1, self._times, self._next_ns(self._times, now_ns))
        self._trim()

    def again(self, result_ids: list[str], now_ns: int) -> None:
        """Someone who may have missed them listens now; oldest first."""
        for result_id in result_ids:
            known = self._open.pop(result_id, None)
            offered = 1 if known is None else known.offered
            due_ns = now_ns + PACE_NS if self._times else FOREVER_NS
            self._open[result_id] = _Open(offered, self._times, due_ns)
        self._trim()

    def settled(self, result_id: str) -> None:
        """It is acknowledged."""
        self._open.pop(result_id, None)

    def take(self, now_ns: int) -> tuple[str, int] | None:
        """The result that is to be published now, and for the how manieth time."""
        if now_ns < self.wake_ns():
            return None
        result_id = min(self._open, key=lambda each: self._open[each].due_ns)
        offer = self._open[result_id]
        offer.offered += 1
        offer.left -= 1
        offer.due_ns = self._next_ns(offer.left, now_ns)
        self._free_ns = now_ns + PACE_NS
        return result_id, offer.offered

    def wake_ns(self) -> int:
        """When the next one is due."""
        due_ns = min((offer.due_ns for offer in self._open.values()), default=FOREVER_NS)
        return max(due_ns, self._free_ns)

    def _next_ns(self, left: int, now_ns: int) -> int:
        return now_ns + self._period_ns if left > 0 else FOREVER_NS

    def _trim(self) -> None:
        while len(self._open) > MOST:
            self._open.pop(next(iter(self._open)))


class Reoffer:
    """Publishes `offer.<cell>`. A journal that cannot be read costs the offer, nothing else."""

    def __init__(
        self,
        cell: str,
        offers: Offers,
        journal: Journal,
        publish: Publish,
        metrics: Metrics,
        clock: Clock = HOST_CLOCK,
    ) -> None:
        self._topic = offer_topic(cell)
        self._offers = offers
        self._journal = journal
        self._publish = publish
        self._metrics = metrics
        self._clock = clock
        self.decided = offers.decided
        self.wake_ns = offers.wake_ns

    def again(self, now_ns: int) -> None:
        """The box has just started, or somebody has just subscribed."""
        try:
            newest = self._journal.unacknowledged(MOST, self._clock.utc_now() - MAX_AGE)
        except ServiceError as error:
            log.warning("no verdict is offered again: %s", error)
            return
        self._offers.again(newest, now_ns)

    def tick(self, now_ns: int) -> None:
        """Publish what is due."""
        due = self._offers.take(now_ns)
        if due is None:
            return
        result_id, offered = due
        try:
            result = self._journal.unacknowledged_result(result_id)
        except ServiceError as error:
            log.warning("result=%s is not offered again: %s", result_id, error)
            return
        if result is None:
            self._offers.settled(result_id)
            return
        self._publish(
            self._topic, OfferMessage(offered=offered, t_host_ns=now_ns, result=result).to_json()
        )
        self._metrics.reoffered.inc()
