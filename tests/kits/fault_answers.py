"""What the box must answer to a job that a row of faults was done to."""

from __future__ import annotations

from tests.kits.cell_kit import CLOCK_REASONS
from tests.kits.fault_rows import Expected
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.replies import RefusalCode, Refused, Reply, ResultReply


def check_answer(answer: Reply, expected: Expected, real_time: bool = False) -> None:
    """The refusal that the row names, or a verdict that is as it says and never PASS.

    real_time: a machine that stalls may cost a part that FAILs its clocks, and nothing else.
    """
    if isinstance(expected, RefusalCode):
        assert isinstance(answer, Refused), answer
        assert answer.code is expected
        return
    assert isinstance(answer, ResultReply), answer
    verdict = answer.result
    told = {reason.reason for reason in verdict.reasons}
    assert verdict.outcome is not Outcome.PASS
    if isinstance(expected, Outcome) and real_time and told & CLOCK_REASONS:
        assert verdict.outcome is Outcome.INDETERMINATE
        assert told <= CLOCK_REASONS | {Reason.DEFECT}
    elif isinstance(expected, Outcome):
        assert verdict.outcome is expected, verdict.reasons
    else:
        assert verdict.outcome is Outcome.INDETERMINATE
        assert told & expected, f"{told}, expected one of {expected}"
