"""A fault passes that is as large as the verdict says would have been found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.kits.tray_of_parts import (
    FOCAL_PX,
    Box,
    Mark,
    Part,
    Tray,
    regular,
    with_box,
    with_mark,
    write,
)
from voxgate.runtime.cli import app
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.trays.judge import judge

pytestmark = pytest.mark.slow

FOUR = regular(4)
SIZE_MM = 8.5
PLACES = [(14.0, -12.0), (5.0, -8.0), (0.0, 13.0)]


def lump(x: float, y: float) -> list[Part]:
    """As wide and high as it says."""
    half = SIZE_MM / 2
    return [*FOUR[:3], with_box(FOUR[3], Box((x, y, 10 + half), (half, half, half)))]


def short(x: float, y: float) -> list[Part]:
    """Pins as thick as it says, one of them too short by as much."""
    half = SIZE_MM / 2
    pins = [with_box(part, Box((x, y, 19), (half, half, 9))) for part in FOUR]
    boxes = (*FOUR[3].boxes, Box((x, y, 19 - half), (half, half, 9 - half)))
    return [*pins[:3], replace(pins[3], boxes=boxes)]


def mark(x: float, y: float) -> list[Part]:
    """A third darker."""
    half = SIZE_MM / 2
    return [*FOUR[:3], with_mark(FOUR[3], Mark(Box((x, y, 10), (half, half, 1)), 100))]


@pytest.mark.nightly
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", [lump, short, mark])
def test_a_fault_passes_that_is_as_large_as_would_have_been_found(
    fault: Callable[[float, float], list[Part]], place: tuple[float, float], tmp_path: Path
) -> None:
    with Crew(1) as crew:
        found = judge(open_scene(write(Tray(fault(*place)), tmp_path / "tray")), crew)
    assert found.proven is not None
    assert found.proven.smallest_mm < SIZE_MM < 6 * 360 / FOCAL_PX  # six pixels of twelve views
    assert found.outcome is Outcome.FAIL


def test_a_tray_passes_whose_pictures_do_not_prove_what_must_be_found(tmp_path: Path) -> None:
    folder = str(write(Tray(FOUR, views=8), tmp_path / "tray"))
    wanted = ("--smallest-mm", "3", "--contrast", "0.1", "--depth-mm", "0.1")
    asked = CliRunner().invoke(app, ["scene", folder, "--json", *wanted])
    said = json.loads(asked.stdout)
    assert asked.exit_code == 3
    assert said["reasons"] == ["coverage"]
    for words in ("nothing smaller", "no mark fainter", "no hollow"):
        assert any(f"these pictures prove {words}" in note for note in said["notes"])
    assert said["smallest_mm"] > 3
    assert 0.1 < said["least_contrast"] < 0.97
    assert (said["least_depth_mm"] or 1.0) > 0.1
