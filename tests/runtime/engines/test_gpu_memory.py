"""What does not fit a GPU is refused with a way out before it serves; what does fit is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits import gpu_kit, tiny
from tests.kits.cell_kit import write_cell
from tests.kits.gpu_kit import Box
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.engines import gpu_memory
from voxgate.runtime.engines.engine import open_engine
from voxgate.runtime.engines.gpu_memory import MB, check_room, taken
from voxgate.runtime.engines.tensorrt_engine import TensorRTEngine
from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe


@pytest.fixture
def folder(folder: Path) -> Path:
    """A recipe's, below the short name that sockets need."""
    write_recipe(folder / "recipes" / "tiny" / "1", tiny.parts())
    return folder / "recipes" / "tiny" / "1"


@pytest.fixture
def plans(folder: Path) -> PlanCache:
    return PlanCache.beside(folder)


@pytest.fixture(params=["8.6", "11.4"])  # two names of the same figure
def box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    box = gpu_kit.install(monkeypatch, request.param)
    box.gpu.integrated = False
    yield box
    assert not any(box.gpu.contexts.values()), "a CUDA context was left behind"


def test_a_model_that_does_not_fit_is_refused_with_a_way_out(
    box: Box, folder: Path, plans: PlanCache
) -> None:
    recipe = Recipe.load(folder)
    gpu_kit.build(recipe, plans)
    box.tensorrt.scratch_bytes, box.gpu.free_bytes = 7_000 * MB, 2_500 * MB
    with pytest.raises(EngineError) as refused:
        open_engine(recipe, "tensorrt", plans=plans)
    assert "the model needs 7,000 MB" in str(refused.value)
    assert "2,500 are free" in str(refused.value)
    assert "--input-px" in str(refused.value)


def granted(plans: PlanCache, most_mb: int) -> PlanCache:
    """The same folder, for a cell whose YAML grants so much."""
    engine = {"backend": "tensorrt", "gpu_memory_mb": most_mb}
    cell = load_cell(write_cell(plans.folder.parent / "cell", engine=engine)).config
    return PlanCache(plans.folder, cell)


@pytest.mark.parametrize("others", ["weights", "a model before it"])
def test_a_recipe_takes_more_than_the_cell_grants_it(
    box: Box, folder: Path, plans: PlanCache, others: str
) -> None:
    """Though the GPU has more: what else this box runs there counts on the rest."""
    recipe, cell = Recipe.load(folder), granted(plans, 300)
    gpu_kit.build(recipe, cell)
    open_engine(recipe, "tensorrt", plans=cell).close()
    before = open_engine(recipe, "tensorrt", plans=cell) if others != "weights" else None
    box.tensorrt.scratch_bytes = (300 if before is None else 270) * MB
    try:
        with pytest.raises(EngineError) as refused:
            open_engine(recipe, "tensorrt", plans=cell, beside=before)
    finally:
        if before is not None:
            before.close()
    left = 299 if before is None else 259
    assert f"of the 300 MB that engine.gpu_memory_mb grants {left} are left" in str(refused.value)
    assert "raise it, or export for a smaller picture (--input-px)" in str(refused.value)


def test_a_volume_takes_what_the_cell_grants_to_nobody(
    box: Box, folder: Path, plans: PlanCache
) -> None:
    recipe, cell = Recipe.load(folder), granted(plans, 100)
    gpu_kit.build(recipe, cell)
    engine = open_engine(recipe, "tensorrt", plans=cell)
    assert isinstance(engine, TensorRTEngine)
    try:
        with pytest.raises(EngineError, match=r"the volume needs 70 MB, of the 100 MB .* 5\d are"):
            check_room(engine.device, 70 * MB, "the volume", "export with larger voxels")
        said = taken(engine.device, [engine.memory])
        assert "(engine.gpu_memory_mb: 100)" in said
    finally:
        engine.close()


def test_a_plan_is_kept_that_the_cell_has_no_memory_for(
    box: Box, folder: Path, plans: PlanCache
) -> None:
    box.tensorrt.scratch_bytes = 500 * MB
    recipe, cell = Recipe.load(folder), granted(plans, 300)
    with pytest.raises(EngineError, match=r"needs 500 MB, of the 300 MB .* grants"):
        gpu_kit.build(recipe, cell)
    assert not cell.sidecars(recipe)


def test_a_jetson_counts_what_its_kernel_can_clear(
    box: Box, folder: Path, plans: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the driver calls free only what lies idle: a box that has read files would refuse."""
    box.gpu.integrated, box.gpu.free_bytes = True, 10 * MB
    monkeypatch.setattr(gpu_memory, "available_mb", lambda: 3_000)
    recipe = Recipe.load(folder)
    gpu_kit.build(recipe, plans)
    open_engine(recipe, "tensorrt", plans=plans).close()


def test_what_a_plan_needs_is_told_when_it_is_built(
    box: Box, folder: Path, plans: PlanCache
) -> None:
    box.tensorrt.scratch_bytes = 811 * MB
    built = gpu_kit.build(Recipe.load(folder), plans)
    assert "812 MB of the GPU's memory to run" in built.sentence
    assert built.sidecar.scratch_bytes == 811 * MB


def test_an_open_recipe_says_what_it_has_taken(box: Box, folder: Path, plans: PlanCache) -> None:
    recipe = Recipe.load(folder)
    gpu_kit.build(recipe, plans)
    engine = open_engine(recipe, "tensorrt", plans=plans)
    try:
        assert isinstance(engine, TensorRTEngine)
        engine.device.allocate(30 * MB)
        engine.device.pinned(12 * MB)
        said = taken(engine.device, [engine.memory])
    finally:
        engine.close()
    assert "41 MB by the model, 31 MB by pictures and volume, 6,144 MB are left" in said
    assert "13 MB of the host's are pinned" in said
