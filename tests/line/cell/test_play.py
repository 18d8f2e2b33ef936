"""`voxgate play`: one served box, several parts, several programs one after the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kits.cell_kit import until, write_cell
from tests.kits.repository import ROOT
from tests.kits.small_scan import small_bracket
from voxgate.sim.box import CONFIG_NAME, Box, voxgate
from voxgate.sim.recipes import export_once

BRACKET = small_bracket()
GOOD = BRACKET / "good"
SPEED = "8"
PATIENCE_S = 500.0


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    recipe = export_once(BRACKET / "golden", ROOT / "out" / "recipes")
    name = f"{recipe.parent.name}/{recipe.name}"
    folder = tmp_path_factory.mktemp("box")
    calibration = BRACKET / "calibration.json"
    with Box.start(folder, calibration, recipe.parents[1], name) as running:
        yield running


def play(config: Path, *scans: Path) -> tuple[subprocess.CompletedProcess[str], Any]:
    """What the command printed, and its JSON."""
    command = voxgate("play", *map(str, scans), "--config", str(config), "--speed", SPEED)
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    return done, json.loads(done.stdout)


@pytest.mark.nightly  # by day, of one program: test_line.py
@pytest.mark.timeout(600)
def test_only_the_first_play_of_a_run_can_pass(box: Box) -> None:
    """Each is a program of its own, whose clocks go on from those before."""
    outcomes: list[str] = []

    def passes_again() -> bool:  # a machine that stalls looks like a clock that was stepped
        _, verdict = play(box.folder / CONFIG_NAME, GOOD)
        outcomes.append(verdict["outcome"])
        return outcomes.count("PASS") >= 2

    until(passes_again, "a second good part that passes", PATIENCE_S)


def test_a_missing_service_is_told_after_a_minute(folder: Path) -> None:
    done, told = play(write_cell(folder), GOOD)
    assert done.returncode == 2
    assert "voxgate run" in done.stderr
    assert "is the box running" in told["error"]
