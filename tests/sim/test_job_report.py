"""A stalled machine is taken for a fault of the cell, or a fault for a stalled machine."""

from __future__ import annotations

import pytest

from tests.kits.journalled import passing_verdict
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.wire.verdict import ReasonMessage
from voxgate.sim.job_report import JobReport

R = Reason
ALL_LATE = (R.CLOCK_UNSYNCED, R.POSE_MISSING, R.MISSING_VIEW, R.NO_VIEWS, R.COVERAGE)


@pytest.mark.parametrize(
    ("reasons", "faults", "stalled"),
    [
        (ALL_LATE, (), True),
        (ALL_LATE, ("drop:view=3",), False),
        ((R.MISSING_VIEW, R.NO_VIEWS), (), False),
        ((R.CLOCK_UNSYNCED, R.CAMERA_LOST), (), False),
    ],
)
def test_a_machine_that_made_every_view_late_is_a_fault_or_a_fault_is_played_again(
    reasons: tuple[Reason, ...], faults: tuple[str, ...], stalled: bool
) -> None:
    told = tuple(ReasonMessage(reason=reason, detail="") for reason in reasons)
    verdict = passing_verdict("j1").model_copy(
        update={"outcome": Outcome.INDETERMINATE, "reasons": told}
    )
    report = JobReport("j1", "good", faults, verdict, may_pass=False)
    assert report.stalled is stalled
