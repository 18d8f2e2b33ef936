"""Views that are held against each other on the line give another verdict than offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits.cell_kit import until
from tests.kits.verdict_in_time import verdict_in_time
from tests.methods.agreement import exported
from voxgate.benchmarks.workstation.case import at
from voxgate.benchmarks.workstation.seeded.sets.modmap import save_modmap
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.offline.replay import replay_file
from voxgate.runtime.records.evidence_folder import kept_in
from voxgate.sim.box import Box

pytestmark = pytest.mark.nightly


@pytest.mark.timeout(900)
def test_a_part_judged_view_beside_view_is_lost_on_the_line(
    small_scans: Path, tmp_path: Path
) -> None:
    recipe, evidence = tmp_path / "recipes/bracket/1", tmp_path / "evidence"
    recipe.parent.mkdir(parents=True)
    weights = str(save_backbone(SMALL_VIT, tmp_path / "w.pth"))
    checkpoint = str(save_modmap(tmp_path / "modmap.pth", 12, (192, 192)))
    files = ("--checkpoint", checkpoint, "--weights", weights, "--depth-weights", weights)
    words = ("--backbone", SMALL_VIT, "--depth-backbone", SMALL_VIT)
    sizes = ("--input-px", "96", "--depth-px", "96", "--name", "bracket")
    exported(("modmap", *files, *words, *sizes, *at(0.5)), small_scans, recipe)
    settings = {"evidence": {"folder": str(evidence), "min_free_gb": 0.0}}
    calibration = small_scans / "calibration.json"
    with Box.start(
        tmp_path / "box", calibration, tmp_path / "recipes", "bracket/1", settings
    ) as box:
        said = verdict_in_time(box, small_scans / "bad", 1.0)
        until(lambda: said.job_id in {each.job_id for each in kept_in(evidence)}, "the recording")
    offline = inspect_folder(small_scans / "bad", recipe).verdict
    assert said.outcome is offline.outcome
    assert offline.score is not None
    assert said.score == pytest.approx(offline.score, rel=0.05)  # the robot's poses are its own
    assert len(said.views) == 12
    (kept,) = [each for each in kept_in(evidence) if each.job_id == said.job_id]
    again = replay_file(evidence / kept.name, recipe)
    assert again.same, again.sentence
