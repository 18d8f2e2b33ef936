"""Recipes of several cameras: what is learnt afterwards must reach each camera's own recipe."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kits import cameras, scene
from voxgate.export.golden.golden import load_golden
from voxgate.export.packing.cameras import of_each_camera
from voxgate.export.packing.combine import combined_by_camera
from voxgate.export.packing.each_camera import apart, each_rewritten
from voxgate.export.packing.package import write_recipe
from voxgate.export.quality.parts_seen import scan_by
from voxgate.export.reference.filter_bank import silent
from voxgate.export.reference.reference import build_parts, export_reference_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import ZONES_FILE, TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones, write_zones

PUT = scene.offset((0.3, -0.2, 0.0), (0.0, 0.0, 0.2))
NAMES = ("wrist", "left", "right")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", name="work")
def _work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of three cameras, a good part and one with a lump, with their truth."""
    work, cell = tmp_path_factory.mktemp("each"), cameras.on_robot_and_above()
    golden = cameras.write(work / "golden", cell, cameras.look(cell))
    of_each_camera(golden, work / "recipe", "1", None, export_reference_recipe)
    lumped = (*scene.PART, cameras.LUMP)
    for name, boxes, seed in (("good", scene.PART, 5), ("bad", lumped, 7)):
        scan = cameras.write(work / "test" / name, cell, cameras.look(cell, boxes, PUT, seed=seed))
        _truth(scan, bad=name == "bad")
    return work


def _truth(scan: Path, bad: bool) -> None:
    """The part's surface by the golden voxels, the lump's by its box."""
    low, high = (
        np.floor((np.array(each) - cameras.GRID.origin_mm) / cameras.GRID.voxel_mm).astype(int)
        for each in cameras.LUMP
    )
    lump = np.argwhere(np.ones(high - low)) + low
    body = np.argwhere(np.ones((20, 20, 1))) + np.array([25, 15, 12])
    np.savez(scan / "surface.npz", ijk=np.concatenate([body, lump]) if bad else body)
    if bad:
        np.savez(scan / "gt.npz", ijk=lump, defect_id=np.ones(len(lump), np.int16))


def _export_shape(scan: Path, out: Path) -> None:
    """A model that sees no picture."""
    parts = build_parts(load_golden(scan), name="boxes")
    size = parts.manifest.output.shape
    image = TensorSpec(name="image", dtype="uint8", shape=size)
    blank = Probe({"image": np.zeros(size, np.uint8)}, np.zeros(size[2:], np.float32))
    manifest = parts.manifest.model_copy(update={"method": "shape", "inputs": (image,)})
    model = silent((size[2], size[3])).SerializeToString()
    write_recipe(out, replace(parts, manifest=manifest, model=model, probes=(blank,)))


def _cli(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_cameras_that_are_taken_apart_and_put_together_are_another_recipe(
    work: Path, tmp_path: Path
) -> None:
    before = Recipe.load(work / "recipe")
    after = each_rewritten(work / "recipe", tmp_path / "2", "2", {})
    assert after.label == f"{before.manifest.name}/2"
    assert after.manifest.cameras == before.manifest.cameras
    models = [own.model for own in before.cameras.values()]
    assert [own.model for own in after.cameras.values()] == models
    assert inspect_folder(work / "test/good", tmp_path / "2").verdict.outcome is Outcome.PASS


def test_what_was_found_of_one_camera_is_lost_or_reaches_another(
    work: Path, tmp_path: Path
) -> None:
    """A threshold of 100 at the camera `left` alone: the others still see the lump."""
    grid = Recipe.load(work / "recipe").grid
    loose = write_zones(Zones.whole(100.0, grid.voxel_mm))
    after = each_rewritten(work / "recipe", tmp_path / "2", "2", {"left": {ZONES_FILE: loose}})
    assert [own.zones is not None for own in after.cameras.values()] == [False, True, False]
    assert inspect_folder(work / "test/bad", tmp_path / "2").verdict.outcome is not Outcome.PASS


def test_recipes_of_other_cameras_are_combined(work: Path, tmp_path: Path) -> None:
    with (
        apart(work / "recipe") as own,
        pytest.raises(RecipeError, match=r"of one camera, and .* is of the cameras wrist, left"),
    ):
        combined_by_camera([work / "recipe", own["left"]], tmp_path / "2", "2")


@pytest.mark.nightly
def test_models_of_one_camera_are_asked_of_the_views_of_another(work: Path, tmp_path: Path) -> None:
    of_each_camera(work / "golden", tmp_path / "shape", "1", None, _export_shape)
    both = combined_by_camera([work / "recipe", tmp_path / "shape"], tmp_path / "2", "2")
    assert [each.name for each in both.manifest.cameras] == list(NAMES)
    assert [len(own.models) for own in both.cameras.values()] == [2, 2, 2]
    assert inspect_folder(work / "test/good", tmp_path / "2").verdict.outcome is Outcome.PASS


def test_the_scan_of_a_camera_that_the_recipe_does_not_know_teaches_it(work: Path) -> None:
    assert len(scan_by("left", work / "test/good").frames) == 1
    with pytest.raises(ScanError, match=r"of the cameras wrist, left, right, the recipe is of one"):
        scan_by("", work / "test/good")


@pytest.mark.nightly  # by day of one camera: tests/export/quality
def test_evaluation_judges_one_camera_alone(work: Path, tmp_path: Path) -> None:
    told = json.loads(
        _cli("evaluate", work / "recipe", work, "--work", tmp_path, "--jobs", 1, "--json")
    )
    (figures,) = told["types"]
    assert figures["outcomes"] == {"good": {"PASS": 1}, "bad": {"FAIL": 1}}
    assert figures["figures"]["V-AUPRO@1%"] > 0.3
    for name, score in (("good", figures["good_scores"]), ("bad", figures["bad_scores"])):
        verdict = inspect_folder(work / "test" / name, work / "recipe").verdict
        assert score == [pytest.approx(verdict.score)]


@pytest.mark.nightly  # by day of one camera: tests/export/quality
def test_a_review_of_several_cameras_is_refused_or_of_one(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "recipe", tmp_path / "same")
    recipes = ("--recipe", work / "recipe", "--recipe", tmp_path / "same")
    told = json.loads(_cli("review", work / "test", *recipes, "--json"))
    said = {Path(row["scan"]).name: row["said"][0]["outcome"] for row in told["scans"]}
    assert said == {"good": "PASS", "bad": "FAIL"}
    assert all(row["same"] for row in told["scans"])


@pytest.mark.nightly  # by day of one camera: tests/export/quality
def test_a_threshold_of_several_cameras_is_written_for_one_or_another(
    work: Path, tmp_path: Path
) -> None:
    own = ("--extrapolate", "--again", 10, "--false-rejects", 0.06, "--bad", work / "test/bad")
    written = ("--out", tmp_path / "2", "--version", 2, "--json")
    told = json.loads(_cli("threshold", work / "recipe", work / "test/good", *own, *written))
    assert list(told["cameras"]) == list(NAMES)
    shares = [each["target"]["rate"] for each in told["cameras"].values()]
    assert shares == [pytest.approx(0.02)] * 3  # of the part's false rejects a third each
    served = Recipe.load(tmp_path / "2")
    for name, recipe in served.cameras.items():
        (zone,) = told["cameras"][name]["zones"]
        assert recipe.zones is not None
        assert recipe.zones.thresholds.tolist() == [pytest.approx(zone["threshold"])]
    again = json.loads(_cli("threshold", tmp_path / "2", "--check", "--json"))
    assert list(again["cameras"]) == list(NAMES)
    assert inspect_folder(work / "test/good", tmp_path / "2").verdict.outcome is Outcome.PASS
    assert inspect_folder(work / "test/bad", tmp_path / "2").verdict.outcome is Outcome.FAIL


@pytest.mark.nightly
def test_a_classifier_of_several_cameras_hears_one_of_them(work: Path, tmp_path: Path) -> None:
    samples = ("--good", work / "test/good", "--bad", work / "test/bad", "--generated", 6)
    written = ("--out", tmp_path / "2", "--version", 2, "--json")
    told = json.loads(_cli("scorer", work / "recipe", *samples, *written))
    assert {name: each["rows"] for name, each in told["cameras"].items()} == dict.fromkeys(
        NAMES, 14
    )
    served = Recipe.load(tmp_path / "2")
    assert all(own.scorer is not None for own in served.cameras.values())
    assert inspect_folder(work / "test/good", tmp_path / "2").verdict.outcome is Outcome.PASS
    assert inspect_folder(work / "test/bad", tmp_path / "2").verdict.outcome is Outcome.FAIL


def test_a_scan_whose_cameras_were_exchanged_teaches(work: Path, tmp_path: Path) -> None:
    crossed = tmp_path / "crossed"
    shutil.copytree(work / "test/good", crossed)
    for name, other in (("wrist", "right"), ("right", "wrist")):
        shutil.rmtree(crossed / "cameras" / name)
        shutil.copytree(work / "test/good/cameras" / other, crossed / "cameras" / name)
    scans = map(str, (work / "test/good", crossed))
    result = CliRunner().invoke(app, ["threshold", str(work / "recipe"), *scans])
    assert "camera wrist: recipe boxes/1 was made with another calib" in str(result.exception)
