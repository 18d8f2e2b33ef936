"""Thresholds, zones, classifier and review on real (small) scans, through the commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.kits.small_scan import small_bracket
from voxgate.export.quality.parts_seen import PartScores
from voxgate.export.quality.zone_thresholds import (
    Target,
    derive,
    derive_again,
    escape_table,
    record,
)
from voxgate.runtime.cli import app
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scans() -> Path:
    return small_bracket()


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Path:
    return small_recipe


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _parts(scores: list[float], zone: str = "rest") -> list[PartScores]:
    return [PartScores(f"s{n}", 0, None, {zone: score}) for n, score in enumerate(scores)]


def test_enough_parts_prove_the_target() -> None:
    scores = np.random.default_rng(0).gamma(20, 0.03, 19).tolist()
    (zone,) = derive(_parts(scores), ("rest",), Target(0.05))
    assert zone.source == "conformal"
    assert zone.threshold > max(scores)
    assert zone.proven <= 0.05 + 1e-9


def test_too_few_parts_are_refused_with_how_many_it_takes() -> None:
    with pytest.raises(RecipeError, match="needs 99"):
        derive(_parts([0.5, 0.6, 0.7]), ("rest",), Target(0.01))


def test_a_tail_law_stands_in_only_when_asked_and_never_below_a_seen_part() -> None:
    scores = [*np.random.default_rng(1).gamma(20, 0.03, 30).tolist(), 0.95]
    (zone,) = derive(_parts(scores), ("rest",), Target(0.001, extrapolate=True))
    assert zone.source == "tail law"
    assert zone.threshold > 0.95
    assert zone.proven == pytest.approx(1 / 32)


def test_a_tail_that_fits_no_law_is_refused() -> None:
    rng = np.random.default_rng(2)
    scores = [*rng.normal(0.3, 0.005, 40).tolist(), *rng.normal(0.9, 0.005, 40).tolist()]
    with pytest.raises(RecipeError, match="no law fits"):
        derive(_parts(scores), ("rest",), Target(0.001, extrapolate=True))


def test_scores_of_one_part_seen_again_prove_nothing() -> None:
    again = [PartScores("s", n, 0, {"rest": 0.3 + 0.01 * n}) for n in range(20)]
    (zone,) = derive(again, ("rest",), Target(0.05, extrapolate=True))
    assert zone.proven == 0.5


def test_zones_share_the_target() -> None:
    rng = np.random.default_rng(3)
    parts = [
        PartScores(f"s{n}", 0, None, {"a": float(a), "b": float(b)})
        for n, (a, b) in enumerate(rng.gamma(20, 0.03, (39, 2)))
    ]
    found = derive(parts, ("a", "b"), Target(0.05))
    rejected = sum(any(p.zones[z.zone] >= z.threshold for z in found) for p in parts)
    assert rejected == 0
    assert [zone.rate for zone in found] == [0.025, 0.025]


def test_the_record_leads_to_the_same_thresholds_again() -> None:
    parts = _parts([round(s, 6) for s in np.random.default_rng(4).gamma(20, 0.03, 25).tolist()])
    found = derive(parts, ("rest",), Target(0.04))
    stored = json.loads(json.dumps(record(parts, found, Target(0.04)), allow_nan=False))
    assert derive_again(stored) == found
    with pytest.raises(RecipeError, match="not made by"):
        derive_again({"threshold": 1.0})


def test_escapes_and_overkill_are_counted_at_every_threshold() -> None:
    good, bad = _parts([0.6, 0.7]), _parts([0.65, 3.0])
    found = derive(good, ("rest",), Target(0.4))
    rows = {round(row["threshold"], 3): row for row in escape_table(good, bad, found)}
    at_one = rows[1.0]
    assert (at_one["escapes"], at_one["overkill"]) == (1, 0)
    lowest = rows[min(rows)]
    assert (lowest["escapes"], lowest["overkill"]) == (0, 2)
    assert escape_table(good, [], found) == []


def test_the_command_refuses_one_part_for_one_percent(scans: Path, recipe: Path) -> None:
    result = _run("threshold", recipe, scans / "good", "--again", 0, "--json")
    assert isinstance(result.exception, RecipeError)
    assert "needs 99" in json.loads(result.stdout)["error"]


@pytest.mark.nightly  # by day a tighter one, below
def test_a_new_recipe_is_served_with_its_threshold_and_proves_itself(
    scans: Path, recipe: Path, tmp_path: Path
) -> None:
    result = _run(
        "threshold", recipe, scans / "good", "--false-rejects", 0.5, "--again", 0,
        "--bad", scans / "bad", "--out", tmp_path / "2", "--version", "2", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stdout
    (zone,) = json.loads(result.stdout)["zones"]
    before, after = (inspect_folder(scans / "bad", r).verdict for r in (recipe, tmp_path / "2"))
    assert before.score is not None
    assert after.score == pytest.approx(before.score / zone["threshold"], rel=1e-4)
    assert _run("threshold", tmp_path / "2", "--check").exit_code == 0
    stored = json.loads((tmp_path / "2" / "threshold.json").read_text())
    assert stored["bad_scores"][0]["zones"]["rest"] == pytest.approx(before.score, rel=1e-4)


def test_a_tighter_zone_fails_what_the_rest_would_pass(
    scans: Path, recipe: Path, tmp_path: Path
) -> None:
    verdict = inspect_folder(scans / "bad", recipe).verdict
    peak = verdict.defects[0]
    low = [c - 15 for c in peak.centroid_part_mm]
    high = [c + 15 for c in peak.centroid_part_mm]
    zones = tmp_path / "zones.json"
    zones.write_text(json.dumps({"seat": {"box_mm": [low, high]}}))
    result = _run(
        "threshold", recipe, scans / "good", "--false-rejects", 0.5, "--again", 7, "--extrapolate",
        "--zones", zones, "--out", tmp_path / "2", "--version", "2", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stdout
    loaded = Recipe.load(tmp_path / "2")
    assert loaded.zones is not None
    assert loaded.zones.names == ("rest", "seat")
    again = inspect_folder(scans / "bad", tmp_path / "2").verdict
    assert again.score == pytest.approx(
        max(peak.peak_score / loaded.zones.thresholds[1], 0.0), rel=0.05
    )


def test_zones_that_overlap_nothing_are_named(recipe: Path, scans: Path, tmp_path: Path) -> None:
    zones = tmp_path / "zones.json"
    zones.write_text('{"seat": {}}')
    result = _run("threshold", recipe, scans / "good", "--zones", zones, "--json")
    assert "seat" in json.loads(result.stdout)["error"]


@pytest.mark.nightly
def test_review_tells_what_changes_and_what_it_costs(
    scans: Path, recipe: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    for name in ("good", "bad"):
        shutil.copytree(scans / name, archive / name)
    shutil.copy(scans / "calibration.json", archive)
    strict = tmp_path / "strict"
    _run(
        "threshold", recipe, scans / "good", "--false-rejects", 0.5, "--again", 0,
        "--out", strict, "--version", "2",
    )  # fmt: skip
    result = _run("review", archive, "--recipe", recipe, "--recipe", strict, "--json")
    assert result.exit_code == 0, result.stdout
    told = json.loads(result.stdout)
    assert [Path(row["scan"]).name for row in told["scans"]] == ["bad", "good"]
    (cost,) = told["costs"]
    assert (cost["good"], cost["false_rejects_before"], cost["escapes"]) == (1, 0, 0)


def test_review_shows_a_score_where_nothing_was_scored(
    scans: Path, recipe: Path, tmp_path: Path
) -> None:
    """0.00 is the best score that there is; a scan whose poses are missing has none."""
    blind = shutil.copytree(scans / "good", tmp_path / "blind")
    shutil.copy(scans / "calibration.json", tmp_path)
    poses = blind / "robot_poses.jsonl"
    poses.write_text("".join(poses.read_text().splitlines(keepends=True)[:2]))
    both = ("--recipe", recipe, "--recipe", recipe)
    told = json.loads(_run("review", blind, *both, "--json").stdout)
    assert [said["score"] for said in told["scans"][0]["said"]] == [None, None]
    shown = " ".join(_run("review", blind, *both).stdout.split())
    assert "nothing" in shown
    assert "0.00" not in shown


def test_review_needs_two_recipes(scans: Path, recipe: Path) -> None:
    assert "twice" in str(_run("review", scans / "good", "--recipe", recipe).exception)


@pytest.mark.nightly  # by day, one that hears several models: test_several_models.py
def test_a_classifier_is_trained_served_and_fails_the_bad_part(
    scans: Path, recipe: Path, tmp_path: Path
) -> None:
    result = _run(
        "scorer", recipe, "--good", scans / "good", "--bad", scans / "bad", "--generated", 3,
        "--out", tmp_path / "3", "--version", "3", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.exception
    summary = json.loads(result.stdout)
    assert summary["detectors"] == ["model", "geometry"]
    assert summary["rows"] == 8
    loaded = Recipe.load(tmp_path / "3")
    assert loaded.scorer is not None
    good = inspect_folder(scans / "good", tmp_path / "3").verdict
    bad = inspect_folder(scans / "bad", tmp_path / "3").verdict
    assert (good.outcome.value, bad.outcome.value) == ("PASS", "FAIL")
    assert good.score is not None
    assert good.score < 1.0


@pytest.mark.nightly  # by day: quality/test_tail.py
def test_a_bad_part_named_good_does_not_move_the_threshold(recipe: Path, scans: Path) -> None:
    result = _run("threshold", recipe, scans / "good", scans / "bad", "--again", 0, "--json")
    assert isinstance(result.exception, RecipeError)
    assert str(scans / "bad") in str(result.exception)
    assert str(scans / "good") not in str(result.exception)
    assert "--force" in str(result.exception)
    forced = _run(
        *("threshold", recipe, scans / "good", scans / "bad", "--again", 0),
        *("--false-rejects", 0.5, "--force", "--json"),
    )
    assert forced.exit_code == 0
