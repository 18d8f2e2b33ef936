"""A GPU runs only what this box compiled: a forged plan, kernel or sidecar is never loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kits import gpu_kit, tiny
from tests.kits.cell_kit import write_cell
from tests.kits.gpu_kit import Box
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.common.trusted.box_key import key_beside
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import PlanError
from voxgate.runtime.gpu.device import DeviceInfo
from voxgate.runtime.plans.flavour import Edition
from voxgate.runtime.plans.plan_cache import KERNELS, PLAN, SEAL, SIDECAR, PlanCache, plans_of
from voxgate.runtime.recipe.recipe import Recipe

ORIN = DeviceInfo("Numpy Orin", 87, 16, 8192, True, "12.6")
VERSION = Edition("tensorrt", "10.3.0")
SIGNERS = {"signers": [{"name": "quality", "public_key": "ab" * 32}], "allow_unsigned": False}


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    return gpu_kit.install(monkeypatch)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_recipe(tmp_path / "tiny", tiny.parts())
    return Recipe.load(tmp_path / "tiny")


def cell(folder: Path, **recipes: object) -> CellConfig:
    folder.mkdir()
    return load_cell(write_cell(folder, recipes=recipes)).config


@pytest.fixture
def plans(box: Box, tmp_path: Path, recipe: Recipe) -> PlanCache:
    """Of a cell whose recipes have to be signed."""
    plans = plans_of(cell(tmp_path / "cell", **SIGNERS))
    gpu_kit.build(recipe, plans)
    return plans


def place(plans: PlanCache) -> Path:
    (found,) = (path.parent for path in plans.folder.glob(f"*/{SIDECAR}"))
    return found


def exchange(name: str, key: str) -> Callable[[Path], None]:
    """Another file, with a sidecar that fits it."""

    def forge(folder: Path) -> None:
        content = b"code of somebody else"
        (folder / name).write_bytes(content)
        said = json.loads((folder / SIDECAR).read_text())
        said[key] = hashlib.sha256(content).hexdigest()
        said["plan_bytes"] = len(content)
        (folder / SIDECAR).write_text(json.dumps(said))

    return forge


def without_seal(folder: Path) -> None:
    (folder / SEAL).unlink()


def another_seal(folder: Path) -> None:
    (folder / SEAL).write_bytes(bytes(32))


def test_what_this_box_built_is_loaded_and_its_digest_known(
    plans: PlanCache, recipe: Recipe
) -> None:
    plan = plans.load(recipe, VERSION, ORIN)
    assert plans.loaded == [hashlib.sha256(plan.plan).hexdigest()]


@pytest.mark.parametrize(
    "forge",
    [
        exchange(PLAN, "plan_sha256"),
        exchange(KERNELS, "kernels_sha256"),
        without_seal,
        another_seal,
    ],
)
def test_what_somebody_else_put_there_is_not_given_to_the_gpu(
    forge: Callable[[Path], None], plans: PlanCache, recipe: Recipe
) -> None:
    forge(place(plans))
    with pytest.raises(PlanError, match="was not built by this box"):
        plans.load(recipe, VERSION, ORIN)
    assert plans.loaded == []


def test_a_plan_of_another_box_or_a_workstation_is_built_again(
    box: Box, plans: PlanCache, tmp_path: Path, recipe: Recipe
) -> None:
    other = cell(tmp_path / "other", **SIGNERS)
    there = PlanCache(plans.folder, other)
    with pytest.raises(PlanError, match="was not built by this box"):
        there.load(recipe, VERSION, ORIN)
    gpu_kit.build(recipe, PlanCache(tmp_path / "workstation"))
    with pytest.raises(PlanError, match="was not built by this box"):
        PlanCache(tmp_path / "workstation", other).load(recipe, VERSION, ORIN)


def test_who_only_looks_at_a_plan_makes_the_box_a_key(
    box: Box, plans: PlanCache, tmp_path: Path, recipe: Recipe
) -> None:
    never_served = cell(tmp_path / "other", **SIGNERS)
    with pytest.raises(PlanError, match="was not built by this box"):
        PlanCache(plans.folder, never_served).load(recipe, VERSION, ORIN)
    assert not key_beside(never_served.journal.path).exists()


def test_where_anybodys_recipe_is_opened_anybodys_plan_is(
    box: Box, tmp_path: Path, recipe: Recipe
) -> None:
    gpu_kit.build(recipe, PlanCache(tmp_path / "plans"))
    PlanCache(tmp_path / "plans", cell(tmp_path / "cell")).load(recipe, VERSION, ORIN)


def test_timings_of_somebody_else_are_measured_again(plans: PlanCache, recipe: Recipe) -> None:
    key = plans.load(recipe, VERSION, ORIN).sidecar.key
    plans.save_timing_cache(key, b"measured")
    assert plans.timing_cache(key) == b"measured"
    (plans.folder / key.timing_cache).write_bytes(b"forged")
    assert plans.timing_cache(key) == b""
