"""What a played job came to, as its robot heard it."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.nouns import Reason
from voxgate.runtime.wire.verdict import VerdictMessage

TIME_REASONS = frozenset(
    (Reason.CLOCK_UNSYNCED, Reason.POSE_MISSING, Reason.POSE_GAP, Reason.POSE_UNCERTAIN)
)
"""A stall of the machine shows as at least one of these ..."""
FOLLOWING_REASONS = frozenset(
    (Reason.FRAME_LOST, Reason.MISSING_VIEW, Reason.NO_VIEWS, Reason.COVERAGE, Reason.DEFECT)
)
"""... and, beside it, only as these."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """What the robot heard about one job, and when. Latencies on the host's monotonic clock.

    latency_ms: end of the last exposure to the published verdict in the robot's hands.
    frame_latency_ms: last frame given to the network, to the same moment.
    reply_ms: end of the last exposure to the answer of stop_job.
    late_ms: how much the virtual cell itself was late with its worst event.
    stalls: how often the same job was played before, in vain, because this machine stalled.
    """

    job_id: str
    scan: str
    faults: tuple[str, ...]
    verdict: VerdictMessage | None
    may_pass: bool
    refused: str | None = None
    latency_ms: float | None = None
    frame_latency_ms: float | None = None
    reply_ms: float | None = None
    late_ms: float = 0.0
    frames_lost: int = 0
    stalls: int = 0
    decided_ns: int | None = None  # the published verdict is here, host monotonic

    @property
    def outcome(self) -> str:
        """PASS, FAIL, INDETERMINATE, or what kept the job from having one."""
        return self.verdict.outcome.value if self.verdict is not None else "NO VERDICT"

    @property
    def reasons(self) -> tuple[str, ...]:
        """The words of the closed list, each once."""
        notes = self.verdict.reasons if self.verdict is not None else ()
        return tuple(dict.fromkeys(note.reason.value for note in notes))

    @property
    def stalled(self) -> bool:
        """Whether nothing but time speaks against an undisturbed job: this machine stalled.

        Box, robot and camera share it here; the box is right to refuse what came 50 ms late.
        """
        notes = self.verdict.reasons if self.verdict is not None else ()
        reasons = {note.reason for note in notes}
        timely = bool(reasons & TIME_REASONS) and reasons <= TIME_REASONS | FOLLOWING_REASONS
        return self.outcome == "INDETERMINATE" and not self.faults and timely
