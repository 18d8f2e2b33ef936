"""TensorRT plans of a recipe of several models: one each, all of them or none, one GPU for all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import rmtree

import pytest
from typer.testing import CliRunner

from tests.kits import fake_tensorrt, gpu_kit, several
from tests.kits.gpu_kit import Box
from tests.kits.small_scan import small_bracket
from voxgate.runtime.cli import app
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.engines.choice import choose
from voxgate.runtime.engines.engine import open_engine, open_further
from voxgate.runtime.errors import PlanError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    made = gpu_kit.install(monkeypatch)
    yield made
    assert not any(made.gpu.contexts.values()), "a CUDA context was left behind"
    assert made.gpu.retained == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return several.write_tiny(tmp_path / "recipes")


@pytest.fixture
def recipe(folder: Path) -> Recipe:
    return Recipe.load(folder)


@pytest.fixture
def plans(folder: Path) -> PlanCache:
    return PlanCache.beside(folder)


def _build(recipe: Recipe, plans: PlanCache) -> None:
    for each in recipe.models:
        gpu_kit.build(each, plans)


def test_each_model_runs_its_own_plan_on_one_gpu(
    box: Box, recipe: Recipe, plans: PlanCache
) -> None:
    _build(recipe, plans)
    first = open_engine(recipe, "tensorrt", plans=plans)
    further = open_further(recipe, "tensorrt", 1, plans, first)
    assert box.gpu.retained == 1  # one context for all: half of them cannot be lost
    inputs = recipe.probes[0].inputs
    loud, quiet = (engine.run(inputs) for engine in (first, further["half"]))
    assert loud == pytest.approx(2 * quiet)
    further["half"].close()
    assert first.run(inputs) == pytest.approx(loud)  # the GPU is still open
    first.close()


def test_the_command_builds_a_plan_for_each(box: Box, folder: Path, plans: PlanCache) -> None:
    told = CliRunner().invoke(app, ["build", str(folder), "--json"])
    assert told.exit_code == 0, told.output
    built = json.loads(told.stdout)["plans"]
    assert [each["recipe"] for each in built] == ["both/1", "both/1 (half)"]
    assert len(list(plans.folder.glob("*/plan.json"))) == 2
    again = CliRunner().invoke(app, ["build", str(folder)])
    assert again.stdout.count("was there already") == 2


def test_a_plan_of_the_single_recipe_serves_the_combined_one(
    box: Box, folder: Path, plans: PlanCache
) -> None:
    for name in "ab":
        gpu_kit.build(Recipe.load(folder.parent.parent / name / "1"), plans)
    recipe = Recipe.load(folder)
    assert choose("auto", recipe, plans).backend == "tensorrt"
    with closing(open_engine(recipe, "tensorrt", plans=plans)) as first:
        for engine in open_further(recipe, "tensorrt", 1, plans, first).values():
            engine.close()


def test_auto_takes_one_backend_for_all(box: Box, recipe: Recipe, plans: PlanCache) -> None:
    first, _ = recipe.models
    gpu_kit.build(first, plans)
    choice = choose("auto", recipe, plans)
    assert choice.backend == "onnxruntime-cpu"
    assert "recipe both/1 (half) has no plan; type: voxgate build" in choice.why
    _build(recipe, plans)
    assert choose("auto", recipe, plans).backend == "tensorrt"


def test_a_plan_that_is_stale_for_the_second_model_is_an_error(
    box: Box, recipe: Recipe, plans: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    _build(recipe, plans)
    fake_tensorrt.install(monkeypatch, box.gpu, "10.13")
    gpu_kit.build(recipe.models[0], plans)
    with pytest.raises(PlanError, match=r"both/1 \(half\) does not fit: built by TensorRT 10.3.0"):
        choose("auto", recipe, plans)


def test_a_second_plan_that_is_gone_is_named_and_nothing_stays_open(
    box: Box, recipe: Recipe, plans: PlanCache
) -> None:
    _build(recipe, plans)
    (second,) = plans.sidecars(recipe.models[1])
    rmtree(plans.folder / second.key.folder)
    told = r"detector half: recipe both/1 \(half\) has no plan"
    with (
        closing(open_engine(recipe, "tensorrt", plans=plans)) as first,
        pytest.raises(PlanError, match=told),
    ):
        open_further(recipe, "tensorrt", 1, plans, first)


@pytest.mark.slow
def test_a_part_gets_the_cpus_verdict(box: Box, tmp_path: Path) -> None:
    scans = small_bracket()
    folder = several.write_shape_and_look(scans / "golden", tmp_path / "recipes") / "both"
    recipe, plans = Recipe.load(folder), PlanCache(tmp_path / "plans")
    _build(recipe, plans)
    on_cpu = inspect_folder(scans / "bad", folder)
    settings = Settings(backend="tensorrt", plans=plans.folder)
    on_gpu = inspect_folder(scans / "bad", folder, settings=settings)
    assert on_gpu.message.backend == "tensorrt-10.3.0"
    assert on_gpu.message.defects == on_cpu.message.defects
    assert on_gpu.verdict.outcome is Outcome.FAIL
