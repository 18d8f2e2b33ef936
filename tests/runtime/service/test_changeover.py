"""A recipe that waits takes over between two jobs, and the job before keeps what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits.scripted_cell import ScriptedInspector
from tests.kits.stepped_cell import SteppedCell
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.records.evidence_store import VolumeSlot
from voxgate.runtime.records.no_evidence import NoEvidence
from voxgate.runtime.scans.recording import Recording
from voxgate.runtime.wire.commands import PrepareRecipe, StopJob
from voxgate.runtime.wire.replies import Done, ResultReply
from voxgate.runtime.wire.verdict import EvidenceStatus, VerdictMessage


class Taken(NoEvidence):
    """Takes everything and writes nothing."""

    def promise(self, recording: Recording, outcome: Outcome) -> EvidenceStatus:
        return EvidenceStatus.QUEUED

    def keep(self, recording: Recording, verdict: VerdictMessage, slot: VolumeSlot | None) -> None:
        assert slot is not None


class KeepingCell(SteppedCell):
    evidence = Taken()


@pytest.mark.parametrize("keep_before_mb", [None, 1])
def test_volume_that_is_kept_is_of_the_recipe_that_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_before_mb: int | None
) -> None:
    asked: list[ScriptedInspector] = []
    monkeypatch.setattr(ScriptedInspector, "volume", property(asked.append), raising=False)
    recipes = {"keep_before_mb": keep_before_mb}
    cell = KeepingCell(tmp_path, recipes=recipes)
    first = cell.service.parts.station.recipe
    assert first is not None
    cell.start_job()
    cell.send(PrepareRecipe, recipe="bracket/2")
    for _ in range(3):
        cell.expose()
    cell.send(StopJob, job_id="job-1")
    cell.run_for(1)
    replies = list(cell.sockets.replies)
    assert [type(reply) for reply in replies] == [ResultReply, Done]  # the verdict first
    assert cell.service.parts.station.changeover.label == "bracket/2"
    assert len(asked) == 1
    assert asked[0] is first.inspector
    cell.end()
