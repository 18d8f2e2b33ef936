"""What the box must answer to a job that a row of faults was done to."""

from __future__ import annotations

from tests.kits.fault_rows import Expected
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.wire.replies import RefusalCode, Refused, Reply, ResultReply


def check_answer(answer: Reply, expected: Expected) -> None:
    """The refusal that the row names, or a verdict that is as it says and never PASS."""
    if isinstance(expected, RefusalCode):
        assert isinstance(answer, Refused), answer
        assert answer.code is expected
        return
    assert isinstance(answer, ResultReply), answer
    verdict = answer.result
    told = {reason.reason for reason in verdict.reasons}
    assert verdict.outcome is not Outcome.PASS
    if isinstance(expected, Outcome):
        assert verdict.outcome is expected, verdict.reasons
    else:
        assert verdict.outcome is Outcome.INDETERMINATE
        assert told & expected, f"{told}, expected one of {expected}"
