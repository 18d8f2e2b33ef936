"""Something broke: counted always, published and logged at a rate that a person can read."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.published import FaultCode, FaultMessage, fault_topic
from voxgate.runtime.wire.verdict_message import cut

log = logging.getLogger(__name__)

Publish = Callable[[bytes, bytes], None]
"""Topic and payload; never blocks."""

PER_SECOND = 10  # a garbage sender must not fill the disk with its own story
SECOND_NS = 1_000_000_000

CODE_OF: dict[Reason, FaultCode] = {
    Reason.CAMERA_LOST: FaultCode.CAMERA,
    Reason.CLOCK_UNSYNCED: FaultCode.CLOCK,
    Reason.POSE_MISSING: FaultCode.POSE,
    Reason.POSE_GAP: FaultCode.POSE,
    Reason.POSE_INVALID: FaultCode.POSE,
    Reason.POSE_ORDER: FaultCode.POSE,
    Reason.POSE_UNCERTAIN: FaultCode.POSE,
    Reason.QUEUE_OVERFLOW: FaultCode.QUEUE_OVERFLOW,
}


class Faults:
    """Publishes `fault.<cell>`; beyond PER_SECOND they are only counted, and it says how many.

    Each code for itself: a flood of one kind hides no other.
    """

    def __init__(self, cell: str, publish: Publish, metrics: Metrics) -> None:
        self._topic = fault_topic(cell)
        self._publish = publish
        self._metrics = metrics
        self._seq = 0
        self._second_ns = -SECOND_NS
        self._told: Counter[FaultCode] = Counter()
        self._withheld: Counter[FaultCode] = Counter()

    def note(
        self, note: Note, now_ns: int, job_id: str | None = None, camera: str | None = None
    ) -> None:
        """A note of the data path as a fault."""
        code = CODE_OF.get(note.reason, FaultCode.FRAME)
        self.tell(code, note.detail, now_ns, job_id, camera)

    def tell(
        self,
        code: FaultCode,
        detail: str,
        now_ns: int,
        job_id: str | None = None,
        camera: str | None = None,
    ) -> None:
        """Say that something broke."""
        self._metrics.faults.labels(code.value).inc()
        if not self._may_speak(code, now_ns):
            self._withheld[code] += 1
            return
        if withheld := self._withheld.pop(code, 0):
            detail = f"{detail} ({withheld} faults before this one were only counted)"
        log.warning("fault code=%s job=%s camera=%s: %s", code.value, job_id, camera, detail)
        message = FaultMessage(
            seq=self._seq,
            t_host_ns=now_ns,
            code=code,
            detail=cut(detail),
            camera=camera,
            job_id=job_id,
        )
        self._seq += 1
        self._publish(self._topic, message.to_json())

    def _may_speak(self, code: FaultCode, now_ns: int) -> bool:
        if now_ns - self._second_ns >= SECOND_NS:
            self._second_ns = now_ns
            self._told.clear()
        self._told[code] += 1
        return self._told[code] <= PER_SECOND
