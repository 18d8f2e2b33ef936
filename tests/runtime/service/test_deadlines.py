"""What the service does when time goes by, on a clock that the test turns."""

from __future__ import annotations

from pathlib import Path

from tests.kits.stepped_cell import SteppedCell
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.wire.commands import StopJob
from voxgate.runtime.wire.replies import ResultReply


def test_good_part_passes(tmp_path: Path) -> None:
    cell = SteppedCell(tmp_path)
    cell.start_job()
    for _ in range(3):
        cell.expose()
    reply = cell.ask(StopJob, job_id="job-1")
    assert isinstance(reply, ResultReply), reply
    assert reply.result.outcome is Outcome.PASS, reply.result.reasons
    cell.end()
