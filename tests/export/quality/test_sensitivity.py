"""What a recipe finds of defects that are put on good parts, and what it would ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.kits.small_scan import small_bracket
from voxgate.export.packing.rewrite import rewritten
from voxgate.export.quality.spot_check import spot_check
from voxgate.runtime.cli import app
from voxgate.runtime.recipe.manifest import ZONES_FILE
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones, write_zones

pytestmark = pytest.mark.slow
FEW = ("--size-mm", 8, "--count", 1)


def _run(recipe: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["sensitivity", str(recipe), *(str(a) for a in arguments)])


@pytest.fixture(scope="module")
def deaf(small_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose threshold is a hundred times too high: it passes whatever is there."""
    zones = Zones.whole(100.0, Recipe.load(small_recipe).grid.voxel_mm)
    out = tmp_path_factory.mktemp("deaf") / "recipe"
    rewritten(small_recipe, out, "2", {ZONES_FILE: write_zones(zones)})
    return out


@pytest.mark.parametrize("scan", ["golden", "good"])
def test_nobody_is_told_what_a_recipe_finds(small_recipe: Path, scan: str) -> None:
    done = _run(small_recipe, small_bracket() / scan, *FEW, "--at-least", 0.75, "--json")
    told = json.loads(done.stdout)
    assert [each["kind"] for each in told["tried"]] == ["patch", "scratch", "bump", "dent"]
    assert told["found"] >= 3, told
    assert done.exit_code == 0


def test_a_recipe_that_passes_everything_is_believed(deaf: Path) -> None:
    done = _run(deaf, small_bracket() / "good", *FEW, "--at-least", 0.5)
    assert "0 of 4 FAIL, 0 INDETERMINATE, 4 would PASS" in done.stdout
    assert "at least 0% are found" in done.stdout
    assert "PASS: scratch of 8 mm at (" in done.stdout
    assert "the recipe finds 0 of 4, 50% are asked" in str(done.exception)


def test_a_program_gets_two_answers_from_a_recipe_that_finds_too_little(deaf: Path) -> None:
    done = _run(deaf, small_bracket() / "good", *FEW, "--at-least", 0.5, "--json")
    told = json.loads(done.stdout)
    assert told["passed"] == len(told["tried"]) == 4
    assert told["error"] == str(done.exception)


def test_a_bad_part_makes_every_defect_found(small_recipe: Path) -> None:
    done = _run(small_recipe, small_bracket() / "bad", *FEW)
    assert "FAIL without a defect on it" in str(done.exception)


def test_an_export_does_not_say_that_its_model_is_blind(deaf: Path) -> None:
    golden, recipe = small_bracket() / "golden", Recipe.load(deaf)
    found = spot_check(recipe, golden, smallest_mm=8.0, run_ms=10.0)
    assert found.words == "finds 0 of 8 defects of 8 mm put on the golden part, 8 would PASS"
    assert found.to_json() == {"found": 0, "passed": 8, "of": 8, "size_mm": 8.0}


def test_an_export_takes_an_hour_longer_than_the_model_needs(deaf: Path) -> None:
    found = spot_check(Recipe.load(deaf), small_bracket() / "golden", None, run_ms=60_000.0)
    assert found.words.startswith("what it finds was not asked, for it takes some ")
    assert found.to_json() is None


def test_an_export_ends_with_an_error_after_its_recipe_is_written(small_recipe: Path) -> None:
    found = spot_check(Recipe.load(small_recipe), small_bracket() / "bad", None, run_ms=1.0)
    assert "FAIL without a defect on it" in found.words
