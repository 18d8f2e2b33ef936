"""Jobs as a line plays them: three views, a verdict, and a good part that passes again."""

from __future__ import annotations

import itertools

from tests.kits.cell_kit import CLOCK_REASONS, until
from tests.kits.robot_kit import Robot
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.commands import StopJob
from voxgate.runtime.wire.replies import ResultReply
from voxgate.runtime.wire.verdict import ReasonMessage, VerdictMessage

_numbers = itertools.count()


def stop(robot: Robot, job_id: str) -> VerdictMessage:
    """Stop a job; its verdict."""
    reply = robot.ask(StopJob, job_id=job_id)
    assert isinstance(reply, ResultReply), reply
    return reply.result


def reasons(verdict: VerdictMessage) -> set[Reason]:
    return {reason.reason for reason in verdict.reasons}


def own_reasons(verdict: VerdictMessage) -> set[Reason]:
    """But for those that a machine that stalled adds."""
    return {reason.reason for reason in verdict.reasons if not _is_of_a_stall(reason)}


def is_good(verdict: VerdictMessage) -> bool:
    """PASS, or what a machine that stalled makes of a good part: its clocks, and nothing else."""
    if verdict.outcome is Outcome.INDETERMINATE:
        return all(map(_is_of_a_stall, verdict.reasons))
    return verdict.outcome is Outcome.PASS


def _is_of_a_stall(reason: ReasonMessage) -> bool:
    """A clock's, or of a frame that came so late that the next job had begun."""
    return reason.reason in CLOCK_REASONS or reason.detail.endswith("may show the part before")


def is_good_unstopped(verdict: VerdictMessage) -> bool:
    """As `is_good`, where nobody stopped the job: for a view that the clocks held back it waits
    until its deadline."""
    said = reasons(verdict) - {Reason.DEADLINE}
    return is_good(verdict) or (bool(said) and said <= CLOCK_REASONS)


def passes_next(robot: Robot, job_id: str) -> VerdictMessage:
    """A good part after the trouble is a good part, once the clocks are believed again: its PASS.

    A loop that stood still for seconds met poses that came seconds late: jobs until it has learnt
    the robot's clock anew are INDETERMINATE, and nothing else.
    """

    def passes() -> VerdictMessage | None:
        name = f"{job_id}-{next(_numbers)}"
        robot.start_job(name)
        for _ in range(3):
            robot.expose()
        verdict = stop(robot, name)
        assert is_good(verdict), verdict.reasons
        return verdict if verdict.outcome is Outcome.PASS else None

    return until(passes, "a good part that passes")
