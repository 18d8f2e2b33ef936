"""A whole part on the GPU path gives the CPU's verdict, with one wait and without round trips."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kits import gpu_kit
from tests.kits.cell_kit import until
from tests.kits.gpu_kit import Box
from tests.kits.host_kernels import host_kernels
from tests.kits.repository import ROOT
from tests.kits.small_scan import px, small_bracket
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.device import DeviceFusion
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.jobs.events import InspectionEvent, JobFinished, RecipeReady
from voxgate.runtime.jobs.inspection_thread import InspectionThread
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.scans.scan import Scan
from voxgate.runtime.station.prepare import preparer
from voxgate.runtime.volume.volume import Voxels

MAX_UNCERTAINTY_MM = 1.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Recipe:
    return Recipe.load(small_recipe)


@pytest.fixture(scope="module")
def scans() -> dict[str, tuple[Scan, list[View]]]:
    found = {}
    for name in ("good", "bad"):
        scan = open_scan(small_bracket() / name)
        views = views_of(scan, DEFAULTS.max_gap_ns, MAX_UNCERTAINTY_MM)
        found[name] = (scan, [view for view in views if isinstance(view, View)])
    return found


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    host_kernels()
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield gpu_kit.install(monkeypatch)


@pytest.fixture(scope="module")
def plans(box: Box, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> PlanCache:
    plans = PlanCache(tmp_path_factory.mktemp("plans"))
    gpu_kit.build(recipe, plans)
    return plans


@pytest.fixture(scope="module")
def only_inspector(
    box: Box, recipe: Recipe, plans: PlanCache, scans: dict[str, tuple[Scan, list[View]]]
) -> Iterator[Inspector]:
    made = Inspector.open(recipe, scans["good"][0].calibration, Limits(), "tensorrt", plans=plans)
    yield made
    box.gpu.fail.clear()
    made.close()
    assert not box.gpu.memory
    assert not box.tensorrt.alive
    assert not box.gpu.contexts[threading.get_ident()]


@pytest.fixture
def inspector(only_inspector: Inspector, box: Box) -> Inspector:
    """As new, on a GPU that works."""
    box.gpu.fail.clear()
    box.gpu.spoil = None
    return only_inspector


def _inspect(inspector: Inspector, views: list[View]) -> tuple[Verdict, Voxels]:
    inspector.start()
    for view in views:
        inspector.add(view)
    return inspector.finish(), inspector.volume.occupied()


def test_good_and_bad_parts_get_the_cpus_verdict_and_the_cpus_voxels(
    inspector: Inspector, recipe: Recipe, scans: dict[str, tuple[Scan, list[View]]]
) -> None:
    on_cpu = Inspector.open(recipe, scans["good"][0].calibration, Limits())
    for name, outcome in (("good", Outcome.PASS), ("bad", Outcome.FAIL), ("good", Outcome.PASS)):
        wanted, wanted_voxels = _inspect(on_cpu, scans[name][1])
        verdict, voxels = _inspect(inspector, scans[name][1])
        assert verdict.outcome is outcome
        alike = replace(verdict, alignment=None, drift=None, timing_ms={})
        assert alike == replace(wanted, alignment=None, drift=None, timing_ms={})
        np.testing.assert_array_equal(voxels.ijk, wanted_voxels.ijk)
        np.testing.assert_array_equal(voxels.score, wanted_voxels.score)
        np.testing.assert_array_equal(voxels.hits, wanted_voxels.hits)
    on_cpu.close()


def test_where_depth_is_silent_the_picture_speaks_on_the_gpu_too(
    recipe: Recipe, plans: PlanCache, scans: dict[str, tuple[Scan, list[View]]]
) -> None:
    """As a recipe of a trained model: without geometry, a spot without return in every view."""
    plain = replace(recipe, manifest=recipe.manifest.model_copy(update={"geometry": False}))
    views = []
    for view in scans["bad"][1]:
        assert view.depth_mm is not None
        depth_mm = view.depth_mm.copy()
        depth_mm[px(250, 350), px(350, 450)] = np.nan
        views.append(replace(view, depth_mm=depth_mm))
    found = []
    for backend in ("onnxruntime-cpu", "tensorrt"):
        opened = Inspector.open(plain, scans["bad"][0].calibration, Limits(), backend, plans=plans)
        found.append(_inspect(opened, views)[1])
        opened.close()
    on_cpu, on_gpu = found
    np.testing.assert_array_equal(on_gpu.ijk, on_cpu.ijk)
    np.testing.assert_array_equal(on_gpu.score, on_cpu.score)
    np.testing.assert_array_equal(on_gpu.hits, on_cpu.hits)


def test_a_part_costs_one_wait_whatever_its_number_of_views(
    inspector: Inspector, box: Box, scans: dict[str, tuple[Scan, list[View]]]
) -> None:
    box.gpu.calls.clear()
    _inspect(inspector, scans["bad"][1])
    calls = box.gpu.calls
    assert calls.count("Stream.synchronize") == 1
    assert "Event.synchronize" not in calls  # no view waits for the one before it
    assert calls.count("execute") == len(scans["bad"][1])


def test_scores_stay_on_the_gpu_and_only_counts_are_copied_back(
    inspector: Inspector, box: Box, scans: dict[str, tuple[Scan, list[View]]]
) -> None:
    box.gpu.calls.clear()
    _inspect(inspector, scans["good"][1])
    # occupied blocks are written by the kernel into host memory
    assert box.gpu.calls.count("memcpy_dtoh_async") == 1
    assert box.gpu.calls.count("pack_blocks") == 1


def test_a_score_that_is_not_finite_is_never_a_pass(
    inspector: Inspector, box: Box, scans: dict[str, tuple[Scan, list[View]]]
) -> None:
    runs = iter(range(100))

    def once(output: Any) -> None:
        if next(runs) == 4:
            output.view(np.float32)[1234] = np.nan

    box.gpu.spoil = once
    verdict, _ = _inspect(inspector, scans["good"][1])
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in verdict.reasons
    assert any("view 4: the model on tensorrt-10.3.0" in note.detail for note in verdict.notes)
    box.gpu.spoil = None
    assert _inspect(inspector, scans["good"][1])[0].outcome is Outcome.PASS


FAILURES = {
    "memcpy_htod_async": "an illegal memory access was encountered",
    "execute": "unspecified launch failure",
    "fuse_pixels": "unspecified launch failure",
    "pack_blocks": "unspecified launch failure",
    "Stream.synchronize": "an illegal memory access was encountered",
}


@pytest.mark.parametrize("call", FAILURES)
def test_a_gpu_that_fails_in_mid_part_is_never_a_pass(
    inspector: Inspector, box: Box, scans: dict[str, tuple[Scan, list[View]]], call: str
) -> None:
    inspector.start()
    box.gpu.fail[call] = FAILURES[call]
    for view in scans["good"][1]:
        inspector.add(view)
    verdict = inspector.finish()
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in verdict.reasons


def test_a_gpu_that_fuses_other_numbers_does_not_serve(
    box: Box,
    recipe: Recipe,
    plans: PlanCache,
    scans: dict[str, tuple[Scan, list[View]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = set(box.gpu.memory)
    launch = box.gpu.launch

    def sloppy(kernel: str, arguments: Any, threads: int) -> None:
        launch(kernel, arguments, threads // 2 if kernel == "fuse_pixels" else threads)

    monkeypatch.setattr(box.gpu, "launch", sloppy)
    calibration = scans["good"][0].calibration
    with pytest.raises(EngineError, match="fuses other numbers than the CPU"):
        Inspector.open(recipe, calibration, Limits(), "tensorrt", plans=plans)
    assert set(box.gpu.memory) == before


def test_the_gpu_path_is_what_a_tensorrt_engine_gets(inspector: Inspector) -> None:
    assert isinstance(inspector.fusion, DeviceFusion)


@pytest.mark.nightly
def test_a_fine_grid_is_sparse_on_the_gpu_too(
    recipe: Recipe, plans: PlanCache, scans: dict[str, tuple[Scan, list[View]]]
) -> None:
    nx, ny, nz = recipe.grid.shape
    half = recipe.grid.voxel_mm / 2
    grid = replace(recipe.grid, shape=(2 * nx, 2 * ny, 2 * nz), voxel_mm=half)
    fine = replace(recipe, grid=grid, expected_ijk=2 * recipe.expected_ijk)
    calibration = scans["bad"][0].calibration
    on_cpu = Inspector.open(fine, calibration, Limits())
    assert on_cpu.volume.sparse
    on_gpu = Inspector.open(fine, calibration, Limits(), "tensorrt", plans=plans)
    _, wanted = _inspect(on_cpu, scans["bad"][1][:6])
    _inspect(on_gpu, scans["bad"][1][:3])
    on_gpu.start()  # a part that is given up leaves nothing to the next one
    for view in scans["good"][1][:6]:
        on_gpu.add(view)
    _, voxels = _inspect(on_gpu, scans["bad"][1][:6])
    np.testing.assert_array_equal(voxels.ijk, wanted.ijk)
    np.testing.assert_array_equal(voxels.score, wanted.score)
    np.testing.assert_array_equal(voxels.hits, wanted.hits)
    on_cpu.close()
    on_gpu.close()


def test_auto_is_told_by_the_verdict_offline(
    box: Box, plans: PlanCache, small_recipe: Path
) -> None:
    settings = Settings(backend="auto", plans=plans.folder)
    result = inspect_folder(small_bracket() / "bad", small_recipe, settings=settings)
    assert result.message.backend == "tensorrt-10.3.0"
    assert result.verdict.outcome is Outcome.FAIL


def test_the_services_worker_opens_serves_and_closes_it_on_one_thread(
    box: Box,
    plans: PlanCache,
    small_recipe: Path,
    scans: dict[str, tuple[Scan, list[View]]],
    tmp_path: Path,
) -> None:
    scan, views = scans["bad"]
    before = set(box.gpu.memory)
    text = (ROOT / "configs" / "bracket_cell.yaml").read_text(encoding="utf-8")
    text = text.replace("../examples/bracket", str(small_bracket()))
    text = text.replace("../out/journal.sqlite", str(tmp_path / "journal.sqlite"))
    text = text.replace("../out/recipes", str(small_recipe.parents[1]))
    text = text.replace("default: bracket/1 ", f"default: bracket/{small_recipe.name} ")
    text = text.replace("backend: onnxruntime-cpu ", f"plans: {plans.folder}\n  backend: auto ")
    (tmp_path / "cell.yaml").write_text(text, encoding="utf-8")
    config = load_cell(tmp_path / "cell.yaml").config
    worker = InspectionThread(preparer(config, scan.calibrations), lambda: None, len(views))
    events: list[InspectionEvent] = []

    def heard(kind: type[InspectionEvent]) -> InspectionEvent | None:
        events.extend(worker.take())
        return next((event for event in events if isinstance(event, kind)), None)

    worker.start()
    worker.prepare(f"{small_recipe.parent.name}/{small_recipe.name}")
    ready = until(lambda: heard(RecipeReady), "ready")
    assert isinstance(ready, RecipeReady)
    assert ready.prepared.backend == "tensorrt-10.3.0"
    assert (ready.prepared.asked, ready.prepared.chosen) == ("auto", "tensorrt")
    worker.begin(1)
    for view in views:
        assert worker.add(1, view)
    worker.finish(1)
    done = until(lambda: heard(JobFinished), "finished")
    assert isinstance(done, JobFinished)
    assert done.verdict.outcome is Outcome.FAIL
    assert worker.close()
    assert set(box.gpu.memory) == before
    main = threading.get_ident()
    assert not any(stack for thread, stack in box.gpu.contexts.items() if thread != main)
