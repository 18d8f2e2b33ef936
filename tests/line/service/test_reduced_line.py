"""The real service with a recipe that inspects fewer pixels than the camera has, and its replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits.cell_kit import until
from tests.kits.coarse import coarse_recipe
from tests.kits.repository import BRACKET
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.offline.replay import replay_file
from voxgate.runtime.records.evidence_folder import kept_in
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.recipes import copy_as
from voxgate.sim.virtual_cell import VirtualCell

SPEED = 8.0


@pytest.mark.nightly
def test_the_line_and_its_replay_inspect_other_pixels_than_the_recipe_says(folder: Path) -> None:
    recipe = copy_as(coarse_recipe()[0], folder / "recipes", "bracket/1")
    evidence = folder / "evidence"
    with (
        Box.start(
            folder,
            BRACKET / "calibration.json",
            folder / "recipes",
            "bracket/1",
            {"evidence": {"folder": str(evidence), "min_free_gb": 0.0}},
        ) as box,
        VirtualCell(wires_from_config(box.config)) as cell,
    ):
        wait_until_ready(box, cell)

        def decided() -> VerdictMessage | None:  # a machine that stalls may keep a part from it
            report = play_in_time(cell, BRACKET / "bad", (), SPEED)
            assert report.stalled or report.outcome == "FAIL"
            return None if report.stalled else report.verdict

        line = until(decided, "a bad part that fails")
        kept = until(
            lambda: next((k for k in kept_in(evidence) if k.job_id == line.job_id), None),
            "the recording",
        )
    assert line.outcome is Outcome.FAIL
    again = replay_file(evidence / kept.name, recipe)
    assert again.recorded == line
    assert again.differs == ()
    assert again.message.score == line.score
