"""The GPU benchmark says what it measured and what it only estimated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kits import gpu_kit, tiny
from tests.kits.host_kernels import host_kernels
from tests.kits.small_scan import small_bracket
from voxgate.benchmarks.speed import gpu as bench
from voxgate.benchmarks.speed import stages, turns
from voxgate.benchmarks.speed.stages import Stage, measure
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines import builder
from voxgate.runtime.nouns import View
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of

pytestmark = pytest.mark.slow


def test_a_models_bytes_are_its_tensors_written_and_read() -> None:
    floats = 4 * 24 * 32
    # two casts, a difference, its size, a division by a constant and a cast that changes nothing
    moved = 2 * (24 * 32 + floats) + 3 * floats + 2 * floats + (2 * floats + 4) + 2 * floats
    assert bench.model_bytes(tiny.difference_model()) == moved


def test_without_a_measurement_the_table_says_so_and_a_jetsons_copy_costs_twice() -> None:
    table = bench.stage_table({Stage.UPLOAD: 75_000_000, Stage.ENGINE: 75_000_000}, {})
    nano = list(table.columns[2].cells)
    assert nano == [f"{2 * 100 / 68:.3f}", f"{100 / 68:.3f}"]
    assert list(table.columns[-1].cells) == ["-", "-"]


def test_every_stage_is_timed_by_the_gpus_events(
    small_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host_kernels()
    box = gpu_kit.install(monkeypatch)
    monkeypatch.setattr(stages, "WARM_UP_PARTS", 0)
    monkeypatch.setattr(stages, "MEASURED_PARTS", 1)
    recipe = Recipe.load(small_recipe)
    plans = PlanCache(tmp_path)
    gpu_kit.build(recipe, plans)
    scan = open_scan(small_bracket() / "bad")
    placed = views_of(scan, DEFAULTS.max_gap_ns, 1.0)
    views = [view for view in placed if isinstance(view, View)][:3]
    found = measure(recipe, scan.calibration, views, plans, "tensorrt")
    assert set(found) == set(Stage) - {Stage.DOWNLOAD}
    assert set(found.values()) == {1.0}  # what the GPU of numpy says of every span
    assert not box.gpu.memory


def test_layers_in_turn_are_held_against_the_same_layers_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = gpu_kit.install(monkeypatch)
    monkeypatch.setattr(turns, "SIZE", (60, 80))
    streams: list[int | None] = []

    def build(*given: Any, **named: Any) -> Any:
        made = builder.build(*given, **named)
        streams.append(box.tensorrt.built_with["aux_streams"])
        return made

    monkeypatch.setattr(turns, "build", build)
    said = turns.told("tensorrt")
    assert streams == [0, None], "None: as many as TensorRT likes"
    assert "in turn, as plans are built, 1.000 ms and 4" in said
    assert not box.gpu.memory
