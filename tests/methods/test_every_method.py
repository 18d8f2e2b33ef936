"""Every method from its published form to verdicts, by the command line, on whole scans."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.kits.repository import BRACKET
from tests.methods.agreement import built_by_tensorrt, exported
from voxgate.benchmarks.workstation.case import MODULES, Case
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe

BY_NIGHT = ("uninet",)


def is_quick(case: Case) -> bool:
    return case.small and not case.slow


def small_cases(module: str, folder: Path, scan: Path) -> list[Case]:
    """Without the models of published size, which take their time to be made."""
    seeded = importlib.import_module(f"voxgate.benchmarks.workstation.seeded.{module}")
    cases = getattr(seeded, "small_cases", seeded.cases)
    return [case for case in cases(folder, scan) if case.small]


def quick_cases(module: str, folder: Path, scan: Path) -> list[Case]:
    return [case for case in small_cases(module, folder, scan) if is_quick(case)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("module", MODULES)
def test_a_recipes_verdicts_are_the_source_models(
    module: str, small_scans: Path, tmp_path: Path
) -> None:
    if module in BY_NIGHT:
        pytest.skip("its smallest model takes 46 s of a core: the night has it")
    case, *_ = quick_cases(module, tmp_path, small_scans / "golden")  # at night, the others
    recipe = tmp_path / "recipe"
    said = exported(case.arguments, small_scans, recipe)
    (row,) = said["parity"]
    assert row["relative_error"] <= 1e-4
    assert row["agreeing"] == row["scans"] == 3
    assert said["ms"] > 0
    assert Recipe.load(recipe).manifest.method == case.arguments[0]
    for scan in ("good", "bad"):
        result = inspect_folder(small_scans / scan, recipe)
        assert result.message.backend == "onnxruntime-cpu"
        assert result.verdict.score is not None
        assert len(result.verdict.views) == 12
    built_by_tensorrt(recipe)  # last: without the wheel the test is skipped here


@pytest.mark.nightly
@pytest.mark.timeout(3600)  # models of full size, on a machine that does other things too
@pytest.mark.parametrize("module", MODULES)
def test_other_forms_and_larger_models_agree_too(
    module: str, small_scans: Path, tmp_path: Path
) -> None:
    seeded = importlib.import_module(f"voxgate.benchmarks.workstation.seeded.{module}")
    cases: list[Case] = seeded.cases(tmp_path, small_scans / "golden")
    by_day = [case for case in cases if is_quick(case)][:1]
    recipes = []
    for number, case in enumerate(case for case in cases if case not in by_day):
        recipes.append(tmp_path / f"recipe{number}")
        (row,) = exported(case.arguments, small_scans, recipes[-1])["parity"]
        assert row["relative_error"] <= 1e-4, case.name
        assert row["agreeing"] == row["scans"] == 3, case.name
    for recipe in recipes:  # last: without the wheel the test is skipped here
        built_by_tensorrt(recipe)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("module", ["reverse_distillation", "m3dm"])
def test_a_reduced_graph_flips_no_verdict(
    module: str, precision: str, small_scans: Path, tmp_path: Path
) -> None:
    case = quick_cases(module, tmp_path, small_scans / "golden")[0]
    said = exported(case.arguments, small_scans, tmp_path / "recipe", "--precision", precision)
    full, reduced = said["parity"]
    assert (full["graph"], reduced["graph"]) == ("fp32", precision)
    assert reduced["max_error"] > 0
    assert reduced["relative_error"] <= reduced["limit"]
    assert reduced["agreeing"] == reduced["scans"] == 3
    assert Recipe.load(tmp_path / "recipe").manifest.precision == precision


def test_another_good_part_raises_the_threshold(small_scans: Path, tmp_path: Path) -> None:
    alone = exported(("variation", "--shape", "voxel"), small_scans, tmp_path / "alone")
    good = ("--good", str(small_scans / "good"))
    more = exported(("variation", "--shape", "voxel"), small_scans, tmp_path / "more", *good)
    assert more["threshold_raw"] > alone["threshold_raw"]
    found = {s: inspect_folder(small_scans / s, tmp_path / "more").verdict for s in ("good", "bad")}
    assert found["good"].outcome is Outcome.PASS
    assert found["bad"].outcome is not Outcome.PASS


@pytest.mark.timeout(900)
def test_a_model_sees_other_pictures_at_its_export_than_on_the_line(tmp_path: Path) -> None:
    """A camera of 800 x 600 px, inspected at half of that: graph, parity and verdicts alike."""
    (case,) = quick_cases("padim", tmp_path, BRACKET / "golden")
    said = exported(case.arguments, BRACKET, tmp_path / "recipe", "--smallest-mm", "4")
    (row,) = said["parity"]
    assert row["agreeing"] == row["scans"] == 3
    manifest = Recipe.load(tmp_path / "recipe").manifest
    assert manifest.working is not None
    assert manifest.inputs[0].shape == (1, 1, 300, 400)
    assert len(inspect_folder(BRACKET / "good", tmp_path / "recipe").verdict.views) == 12
