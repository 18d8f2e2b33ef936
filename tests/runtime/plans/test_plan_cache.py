"""Only the plan of this very model, TensorRT and GPU is served; anything else is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kits import gpu_kit, tiny
from tests.kits.gpu_kit import Box
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.errors import EngineError, PlanError
from voxgate.runtime.gpu.device import DeviceInfo
from voxgate.runtime.plans.flavour import Edition
from voxgate.runtime.plans.plan_cache import KERNELS, PLAN, SIDECAR, PlanCache
from voxgate.runtime.plans.plan_key import PlanKey
from voxgate.runtime.recipe.recipe import Recipe

ORIN = DeviceInfo("Numpy Orin", 87, 16, 8192, True, "12.6")


def proper(version: str) -> Edition:
    return Edition("tensorrt", version)


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    return gpu_kit.install(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_recipe(tmp_path / "recipes" / "tiny" / "1", tiny.parts())
    return tmp_path / "recipes" / "tiny" / "1"


@pytest.fixture
def recipe(folder: Path) -> Recipe:
    return Recipe.load(folder)


@pytest.fixture
def built(box: Box, folder: Path, recipe: Recipe) -> PlanCache:
    plans = PlanCache.beside(folder)
    gpu_kit.build(recipe, plans)
    return plans


def place(plans: PlanCache) -> Path:
    (found,) = (path.parent for path in plans.folder.glob(f"*/{SIDECAR}"))
    return found


def test_a_plan_lies_beside_its_recipe_under_a_name_a_person_can_read(
    built: PlanCache, folder: Path
) -> None:
    assert built.folder == folder.parents[1] / ".plans"
    name = place(built).name
    for piece in ("trt10.3.0", "numpy-orin", "sm87x16", "fp32"):
        assert piece in name


def test_what_was_built_is_loaded_with_its_kernels(built: PlanCache, recipe: Recipe) -> None:
    plan = built.load(recipe, proper("10.3.0"), ORIN)
    assert plan.sidecar.plan_bytes == len(plan.plan)
    assert plan.kernels == b"cubin"
    assert plan.sidecar.probe_off < 1e-6
    assert [str(spec) for spec in plan.sidecar.outputs] == ["score float32 [1, 1, 24, 32]"]


def test_without_a_plan_the_command_is_named(folder: Path, recipe: Recipe) -> None:
    with pytest.raises(PlanError, match="has no plan") as refusal:
        PlanCache.beside(folder).load(recipe, proper("10.3.0"), ORIN)
    assert f"voxgate build {folder}" in str(refusal.value)


@pytest.mark.parametrize(
    ("version", "gpu", "words"),
    [
        ("10.13.3.9", ORIN, "built by TensorRT 10.3.0, here is TensorRT 10.13.3.9"),
        ("10.3.0", replace(ORIN, sm=89, name="RTX 4000"), "built for Numpy Orin .sm_87., here is"),
        ("10.3.0", replace(ORIN, multiprocessors=8), "another power mode .nvpmodel -q."),
    ],
)
def test_a_plan_for_something_else_is_named_with_both(
    built: PlanCache, recipe: Recipe, version: str, gpu: DeviceInfo, words: str
) -> None:
    with pytest.raises(PlanError, match=words) as refusal:
        built.load(recipe, proper(version), gpu)
    assert "voxgate build" in str(refusal.value)


def test_a_recipe_that_was_exported_again_needs_another_plan(
    built: PlanCache, recipe: Recipe
) -> None:
    other = replace(recipe, model=recipe.model + b" ")
    with pytest.raises(PlanError, match="from another model"):
        built.load(other, proper("10.3.0"), ORIN)


def test_plans_of_the_two_tensorrts_never_cross(
    built: PlanCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a version number that both could have, and not by a sidecar that is moved."""
    rtx = Edition("tensorrt-rtx", "10.3.0")
    with pytest.raises(PlanError, match=r"by TensorRT 10\.3\.0, here is TensorRT for RTX 10\.3\.0"):
        built.load(recipe, rtx, ORIN)
    place(built).rename(built.folder / PlanKey.of(recipe, rtx, ORIN).folder)
    with pytest.raises(PlanError, match="here is TensorRT for RTX"):
        built.load(recipe, rtx, ORIN)


def test_a_sidecar_of_the_time_before_rtx_is_tensorrts_own(
    built: PlanCache, recipe: Recipe
) -> None:
    path = place(built) / SIDECAR
    said = json.loads(path.read_text("utf-8"))
    assert said.pop("flavour") == "tensorrt"
    path.write_text(json.dumps(said), encoding="utf-8")
    assert built.load(recipe, proper("10.3.0"), ORIN).sidecar.edition == proper("10.3.0")


@pytest.mark.parametrize("name", [PLAN, KERNELS])
def test_an_altered_file_is_refused(built: PlanCache, recipe: Recipe, name: str) -> None:
    (place(built) / name).write_bytes(b"cut")
    with pytest.raises(PlanError, match="altered or cut off"):
        built.load(recipe, proper("10.3.0"), ORIN)


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 2}', "\x00"])
def test_a_damaged_sidecar_is_refused(built: PlanCache, recipe: Recipe, text: str) -> None:
    (place(built) / SIDECAR).write_text(text)
    with pytest.raises(PlanError, match="voxgate build"):
        built.load(recipe, proper("10.3.0"), ORIN)


def test_a_plan_in_a_place_that_is_not_its_own_is_refused(built: PlanCache, recipe: Recipe) -> None:
    """Copied by hand from another box: the folder's name is not what counts."""
    wanted = PlanKey.of(recipe, proper("10.13.3.9"), ORIN)
    place(built).rename(built.folder / wanted.folder)
    with pytest.raises(PlanError, match=r"built by TensorRT 10\.3\.0"):
        built.load(recipe, proper("10.13.3.9"), ORIN)


def test_kernels_of_another_release_are_not_launched(
    built: PlanCache, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.runtime.plans.plan_cache.source_digest", lambda: "other")
    with pytest.raises(PlanError, match="another VoxGate"):
        built.load(recipe, proper("10.3.0"), ORIN)


def test_a_plan_that_is_there_is_not_built_again(
    box: Box, built: PlanCache, recipe: Recipe
) -> None:
    box.tensorrt.fail["Builder.build_serialized_network"] = "must not be called"
    outcome = gpu_kit.build(recipe, built, force=False)
    assert not outcome.fresh
    assert "was there already" in outcome.sentence


def test_a_new_plan_takes_the_old_ones_place_as_a_whole(built: PlanCache, recipe: Recipe) -> None:
    before = place(built)
    gpu_kit.build(recipe, built, optimisation_level=1)
    assert place(built) == before
    assert built.load(recipe, proper("10.3.0"), ORIN).sidecar.optimisation_level == 1
    assert not list(built.folder.glob(".*"))


def test_timings_are_kept_for_the_next_build(box: Box, built: PlanCache, recipe: Recipe) -> None:
    key = PlanKey.of(recipe, proper("10.3.0"), ORIN)
    assert built.timing_cache(key) == b"+"
    gpu_kit.build(recipe, built)
    assert built.timing_cache(key) == b"++"
    built.save_timing_cache(key, b"other device")
    gpu_kit.build(recipe, built)  # what does not fit is measured again
    assert built.timing_cache(key) == b"+"


def test_a_folder_that_cannot_be_written_is_found_out_after_minutes_of_building(
    box: Box, recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    box.tensorrt.fail["Builder.build_serialized_network"] = "must not be called"
    with pytest.raises(PlanError, match=r"cannot be written.*give --plans FOLDER"):
        gpu_kit.build(recipe, PlanCache(tmp_path / "file"))
    there = PlanCache(tmp_path / "not" / "there")
    with pytest.raises(EngineError, match="must not be called"):
        gpu_kit.build(recipe, there)
    assert not (tmp_path / "not").exists(), "who looked left something"


@pytest.mark.parametrize("damage", ["a bit", "cut off", "empty"])
def test_code_that_was_damaged_on_the_disk_is_given_to_the_gpu(damage: str, tmp_path: Path) -> None:
    """What a card compiled is code as a plan is, where nothing is sealed too."""
    plans, compiled = PlanCache(tmp_path), b"compiled for this card"
    plans.save_compiled(b"a plan", ORIN, compiled)
    assert plans.compiled(b"a plan", ORIN) == compiled
    (kept,) = tmp_path.iterdir()
    *start, last = kept.read_bytes()
    damaged = {"a bit": [*start, last ^ 1], "cut off": start, "empty": []}
    kept.write_bytes(bytes(damaged[damage]))
    assert plans.compiled(b"a plan", ORIN) == b""
