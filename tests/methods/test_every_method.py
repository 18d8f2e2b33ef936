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


@pytest.mark.timeout(600)
@pytest.mark.parametrize("module", MODULES)
def test_a_recipes_verdicts_are_the_source_models(
    module: str, small_scans: Path, tmp_path: Path
) -> None:
    if module in BY_NIGHT:
        pytest.skip("its smallest model takes minutes: the night has it")
    seeded = importlib.import_module(f"voxgate.benchmarks.workstation.seeded.{module}")
    cases = getattr(seeded, "small_cases", seeded.cases)
    quick: list[Case] = [c for c in cases(tmp_path, small_scans / "golden") if is_quick(c)]
    assert quick
    for number, case in enumerate(quick):
        said = exported(case.arguments, small_scans, tmp_path / f"recipe{number}")
        (row,) = said["parity"]
        assert row["relative_error"] <= 1e-4, case.name
        assert row["agreeing"] == row["scans"] == 3, case.name
        assert said["ms"] > 0
        recipe = tmp_path / f"recipe{number}"
        assert Recipe.load(recipe).manifest.method == case.arguments[0]
        for scan in ("good", "bad"):
            result = inspect_folder(small_scans / scan, recipe)
            assert result.message.backend == "onnxruntime-cpu"
            assert result.verdict.score is not None
            assert len(result.verdict.views) == 12
    for number in range(len(quick)):  # last: without the wheel the test is skipped here
        built_by_tensorrt(tmp_path / f"recipe{number}")


@pytest.mark.nightly
@pytest.mark.parametrize("module", MODULES)
def test_larger_models_agree_too(module: str, small_scans: Path, tmp_path: Path) -> None:
    cases = importlib.import_module(f"voxgate.benchmarks.workstation.seeded.{module}").cases
    recipes = []
    for number, case in enumerate(cases(tmp_path, small_scans / "golden")):
        if not is_quick(case):
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
    cases = importlib.import_module(f"voxgate.benchmarks.workstation.seeded.{module}").cases
    case = next(c for c in cases(tmp_path, small_scans / "golden") if c.small)
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
    (case,) = _of_padim(tmp_path, BRACKET / "golden")
    said = exported(case.arguments, BRACKET, tmp_path / "recipe", "--smallest-mm", "4")
    (row,) = said["parity"]
    assert row["agreeing"] == row["scans"] == 3
    manifest = Recipe.load(tmp_path / "recipe").manifest
    assert manifest.working is not None
    assert manifest.inputs[0].shape == (1, 1, 300, 400)
    assert len(inspect_folder(BRACKET / "good", tmp_path / "recipe").verdict.views) == 12


def _of_padim(folder: Path, scan: Path) -> list[Case]:
    seeded = importlib.import_module("voxgate.benchmarks.workstation.seeded.padim")
    return [case for case in seeded.cases(folder, scan) if is_quick(case)][:1]
