"""A model exported by the views of several cameras: what came of each is lost, or looked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voxgate.runtime.cli import app
from voxgate.runtime.recipe.recipe import Recipe

NAMES = ["left", "right"]


@pytest.fixture(scope="module")
def golden(small_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One camera's views as if two had taken them: what each recipe holds is not asked here."""
    scan = tmp_path_factory.mktemp("cameras") / "golden"
    for name in NAMES:
        own = scan / "cameras" / name
        shutil.copytree(small_scans / "golden", own)
        shutil.copy(small_scans / "calibration.json", own)
    (scan / "cameras.json").write_text(json.dumps({"cameras": NAMES}))
    return scan


def export(golden: Path, out: Path, *more: str) -> str:
    command = ["export", "variation", "--shape", "depth", "--scan", str(golden), "--out", str(out)]
    done = CliRunner().invoke(app, [*command, *more])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.stdout


def test_what_came_of_each_camera_is_looked_for_where_its_draft_was(
    golden: Path, tmp_path: Path
) -> None:
    said = export(golden, tmp_path / "words")
    assert "camera left: " in said
    assert "camera right: " in said
    assert f"recipe written: {tmp_path / 'words'}" in said.replace("\n", "")
    assert set(Recipe.load(tmp_path / "words").cameras) == set(NAMES)
    told = json.loads(export(golden, tmp_path / "json", "--json"))
    assert told["recipe"] == str(tmp_path / "json")
    for name in NAMES:
        assert "recipe" not in told["cameras"][name]
        assert told["cameras"][name]["megabytes"] > 0
