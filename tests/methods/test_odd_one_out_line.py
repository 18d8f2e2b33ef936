"""A tray is judged by the network on the line, and its verdict, recording or page is another's."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.kits.cell_kit import until
from tests.kits.page_kit import page_process
from tests.kits.tray_of_parts import Tray, regular, write
from tests.kits.verdict_in_time import verdict_in_time
from voxgate.runtime.cli import app
from voxgate.runtime.offline.replay import replay_file
from voxgate.runtime.records.evidence_folder import kept_in
from voxgate.runtime.report.job_report import report
from voxgate.runtime.scans.posed_scan import scene_as_scan
from voxgate.sim.box import Box

pytestmark = pytest.mark.nightly

PARTS = regular(3)


def test_a_tray_by_the_network_passes_or_is_lost_between_camera_and_page(tmp_path: Path) -> None:
    scan, recipe = tmp_path / "tray", tmp_path / "recipes/toys/1"
    scene_as_scan(write(Tray(PARTS, views=8), tmp_path / "scene"), scan)
    words = ["--tray", str(scan), "--out", str(recipe), "--seeded", "toy", "--grey"]
    words += ["--name", "toys"]
    exported = CliRunner().invoke(app, ["export", "odd-one-out", *words])
    assert exported.exit_code == 0, exported.output
    evidence = tmp_path / "evidence"
    settings = {"evidence": {"folder": str(evidence), "min_free_gb": 0.0}}
    with Box.start(
        tmp_path / "box", scan / "calibration.json", tmp_path / "recipes", "toys/1", settings
    ) as box:
        said = verdict_in_time(box, scan, 2.0)
        until(lambda: said.job_id in {each.job_id for each in kept_in(evidence)}, "the recording")
        with page_process(box.folder / "cell.yaml") as page:
            shown = page.ask(f"/api/jobs/{said.job_id}").text
    assert said.outcome.value == "INDETERMINATE"
    assert "score_invalid" in {each.reason.value for each in said.reasons}  # drawn by chance
    assert said.backend == "onnxruntime-cpu"
    assert len(said.instances) == len(PARTS)
    (kept,) = [each for each in kept_in(evidence) if each.job_id == said.job_id]
    again = replay_file(evidence / kept.name, recipe)
    assert again.same, again.sentence
    told = report(evidence / kept.name)
    assert told.count("<figure>") == len(said.views) == 8
    assert "INDETERMINATE" in shown
    assert "drawn by chance" in shown
    assert shown.count("box_base_mm") >= len(PARTS)
