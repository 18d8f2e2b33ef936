"""TensorRT without TensorRT: the real adapter against every version's names, on a GPU of numpy."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.kits import fake_pycuda, fake_tensorrt, tiny
from tests.kits.fake_tensorrt import VERSIONS, FakeTensorRT, edition_of
from tests.kits.numpy_gpu import NumpyGpu
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.engines import build as plan_recipe
from voxgate.runtime.engines.build import build_recipe
from voxgate.runtime.engines.builder import BuildOptions
from voxgate.runtime.engines.engine import Engine, open_engine, score_map
from voxgate.runtime.engines.tensorrt_engine import TensorRTEngine
from voxgate.runtime.engines.tensorrt_module import the_installed
from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import LIBRARIES, Library, open_device
from voxgate.runtime.gpu.errors import LibraryTooNew
from voxgate.runtime.plans.flavour import RTX
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe


@pytest.fixture
def gpu() -> NumpyGpu:
    return NumpyGpu()


@pytest.fixture(params=VERSIONS)
def trt(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, gpu: NumpyGpu
) -> Iterator[FakeTensorRT]:
    fake_pycuda.install(monkeypatch, gpu)
    # compiling is tested by itself; this GPU runs the kernels that were compiled for the host
    monkeypatch.setattr(plan_recipe, "compile_cubin", lambda source, name, sm: b"cubin")
    if edition_of(request.param).flavour == RTX:
        gpu.capability = (8, 9)
    yield fake_tensorrt.install(monkeypatch, gpu, request.param)
    assert not any(gpu.contexts.values()), "a CUDA context was left behind"
    assert gpu.retained == 0


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_recipe(tmp_path / "recipes" / "tiny" / "1", tiny.parts())
    return Recipe.load(tmp_path / "recipes" / "tiny" / "1")


@pytest.fixture
def plans(tmp_path: Path) -> PlanCache:
    return PlanCache.beside(tmp_path / "recipes" / "tiny" / "1")


def build(recipe: Recipe, plans: PlanCache, **options: Any) -> Any:
    steps: list[tuple[str, int, int]] = []
    made = build_recipe(
        recipe,
        plans,
        BuildOptions(**options),
        lambda *step: steps.append(step),
        force=True,
        flavour=the_installed(),
    )
    return made, steps


def open_it(recipe: Recipe, plans: PlanCache) -> Engine:
    return open_engine(recipe, the_installed(), plans=plans)


def test_a_built_plan_gives_the_scores_of_the_recipe(
    trt: FakeTensorRT, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    try:
        probe = tiny.probe(seed=3)
        assert np.abs(score_map(engine, probe.inputs).score - probe.score).max() < 1e-6
        assert engine.backend == f"{trt.backend}-{trt.module.__version__}"
    finally:
        engine.close()
    assert not trt.alive


def test_what_was_closed_leaves_no_memory_behind(
    trt: FakeTensorRT, gpu: NumpyGpu, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    engine.close()
    engine.close()
    assert not gpu.memory
    assert not gpu.pinned
    with pytest.raises(EngineError, match="closed"):
        engine.run(tiny.probe().inputs)


def test_tf32_is_off_unless_it_is_asked_for(
    trt: FakeTensorRT, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    assert "TF32" not in trt.built_with["flags"]
    build(recipe, plans, tf32=True)
    assert "TF32" in trt.built_with["flags"]


def test_one_view_costs_one_wait(
    trt: FakeTensorRT, gpu: NumpyGpu, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    gpu.calls.clear()
    engine.run(tiny.probe().inputs)
    assert gpu.calls.count("Stream.synchronize") == 1
    assert "Context.synchronize" not in gpu.calls
    engine.close()


RETURNS = {
    "Runtime.deserialize_cuda_engine": "cannot be loaded",
    "ICudaEngine.create_execution_context": "no memory to run in",
    "IExecutionContext.set_input_shape": "refuses input",
    "IExecutionContext.set_tensor_address": "refuses memory",
    "IExecutionContext.infer_shapes": "are open",
    "IExecutionContext.infer_shapes: raises": "shapes contradict",
    "Runtime": "TensorRT cannot start",
    "IExecutionContext.execute_async_v3": "failed to run",
}


@pytest.mark.parametrize("call", RETURNS)
def test_no_failure_that_tensorrt_only_returns_is_overlooked(
    trt: FakeTensorRT, gpu: NumpyGpu, recipe: Recipe, plans: PlanCache, call: str
) -> None:
    build(recipe, plans)
    trt.fail[call] = "out of memory"
    with pytest.raises(EngineError, match=RETURNS[call]) as refusal:
        open_it(recipe, plans)
    remedy = "voxgate build" if "raises" in call else "--workspace-mb"
    assert remedy in str(refusal.value)  # TensorRT's words became a remedy
    assert not trt.alive
    assert not gpu.memory


BUILD_RETURNS = (
    *("Builder", "OnnxParser"),
    *("Builder.create_network", "Builder.create_builder_config", "OnnxParser.parse"),
    "Builder.build_serialized_network",
)


@pytest.mark.parametrize("call", BUILD_RETURNS)
def test_a_build_that_fails_says_why_and_keeps_nothing(
    trt: FakeTensorRT, recipe: Recipe, plans: PlanCache, call: str
) -> None:
    trt.fail[call] = "Plugin not found, are the plugin name, version, and namespace correct?"
    with pytest.raises(EngineError, match="export the recipe again"):
        build(recipe, plans)
    assert not plans.sidecars(recipe)


def test_a_failing_gpu_while_running_is_an_engine_error(
    trt: FakeTensorRT, gpu: NumpyGpu, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    for call in ("memcpy_htod_async", "execute", "memcpy_dtoh_async", "Stream.synchronize"):
        gpu.fail[call] = "an illegal memory access was encountered"
        with pytest.raises(EngineError, match=r"restart|context"):
            engine.run(tiny.probe().inputs)
    engine.close()


def test_a_plan_that_gives_other_scores_is_not_kept(
    trt: FakeTensorRT, gpu: NumpyGpu, recipe: Recipe, plans: PlanCache
) -> None:
    def drift(output: Any) -> None:
        output.view(np.float32)[:] *= np.float32(1.01)

    gpu.spoil = drift
    with pytest.raises(EngineError, match=r"not kept.*does not serve"):
        build(recipe, plans)
    assert not plans.sidecars(recipe)


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "must be finite"), (0.25, "same score everywhere")]
)
def test_nan_and_constant_maps_are_caught_at_load(
    trt: FakeTensorRT, gpu: NumpyGpu, recipe: Recipe, plans: PlanCache, value: float, words: str
) -> None:
    build(recipe, plans)
    gpu.spoil = lambda output: output.view(np.float32).fill(value)
    with pytest.raises(EngineError, match=words):
        open_it(recipe, plans)


def test_another_thread_is_refused(trt: FakeTensorRT, recipe: Recipe, plans: PlanCache) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    refused = []

    def run() -> None:
        try:
            engine.run(tiny.probe().inputs)
        except EngineError as error:
            refused.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "the thread that opened it" in refused[0]
    engine.close()


def test_wrong_inputs_are_refused_before_they_are_uploaded(
    trt: FakeTensorRT, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    good = tiny.probe().inputs
    for wrong in ({}, good | {"image": good["image"].astype(np.float32)}):
        with pytest.raises(EngineError, match="the model takes image uint8"):
            engine.run(wrong)
    engine.close()


def test_a_foreign_context_is_named(
    trt: FakeTensorRT, gpu: NumpyGpu, recipe: Recipe, plans: PlanCache
) -> None:
    gpu.contexts[threading.get_ident()] = ["what pycuda.autoinit made"]
    with pytest.raises(EngineError, match=r"pycuda\.autoinit"):
        open_device()
    gpu.contexts.clear()


def test_a_binding_too_new_for_the_driver_is_passed_over_aloud(
    trt: FakeTensorRT, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(ordinal: int) -> None:
        raise LibraryTooNew("cuda-bindings 13.5.0 is newer than this driver's CUDA 12")

    adapter = ModuleType("tests.cuda_too_new")
    adapter.__dict__["open_device"] = refuse
    monkeypatch.setitem(sys.modules, "tests.cuda_too_new", adapter)
    rows = {"too new": Library("json", "tests.cuda_too_new", "pip install something older")}
    monkeypatch.setattr("voxgate.runtime.gpu.device.LIBRARIES", rows | LIBRARIES)
    device = open_device()
    assert device.library.startswith("pycuda")
    assert "too new is passed over" in caplog.text
    device.close()
    monkeypatch.setattr("voxgate.runtime.gpu.device.LIBRARIES", rows)
    with pytest.raises(LibraryTooNew, match="is newer than this driver"):
        open_device()


def test_progress_is_told_where_tensorrt_tells_it(
    trt: FakeTensorRT, recipe: Recipe, plans: PlanCache
) -> None:
    _, steps = build(recipe, plans)
    assert (("Timing", 2, 2) in steps) == (trt.version != "8.6")


def test_every_tensor_keeps_one_aligned_address(
    trt: FakeTensorRT, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    assert isinstance(engine, TensorRTEngine)
    before = [engine.address_of(spec.name) for spec in (*engine.inputs, *engine.outputs)]
    engine.run(tiny.probe().inputs)
    assert before == [engine.address_of(s.name) for s in (*engine.inputs, *engine.outputs)]
    assert all(address is not None and address % 256 == 0 for address in before)
    engine.close()


# --- CUDA graphs, where the library has them -----------------------------------------------------


class Recording:
    """Graphs on the GPU of numpy; pycuda itself has none."""

    def __init__(self, gpu: NumpyGpu, stream: int, fails: bool) -> None:
        self._gpu = gpu
        self._stream = stream
        self._fails = fails

    def begin(self) -> None:
        self._gpu.call("begin recording")
        self._gpu.recorded = []

    def end(self) -> Any:
        work, self._gpu.recorded = self._gpu.recorded, None
        self._gpu.call("end recording")
        if self._fails:
            raise EngineError("CUDA: operation not permitted when stream is capturing")
        return Graph(self._gpu, self._stream, work or [])


class Graph:
    def __init__(self, gpu: NumpyGpu, stream: int, work: list[Any]) -> None:
        self._gpu, self._stream, self._work = gpu, stream, work

    def launch(self) -> None:
        self._gpu.call("graph")
        for piece in self._work:
            self._gpu.enqueue(self._stream, piece)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch, gpu: NumpyGpu, trt: FakeTensorRT) -> dict[str, bool]:
    state = {"fails": False}
    monkeypatch.setattr(
        importlib.import_module("voxgate.runtime.gpu.with_pycuda").PycudaDevice,
        "recording",
        lambda device: Recording(gpu, device.stream, state["fails"]),
    )
    return state


def test_a_run_is_one_launch_of_a_graph(
    graphs: dict[str, bool], gpu: NumpyGpu, recipe: Recipe, plans: PlanCache
) -> None:
    build(recipe, plans)
    engine = open_it(recipe, plans)
    gpu.calls.clear()
    for seed in (1, 2):
        probe = tiny.probe(seed)
        assert np.abs(score_map(engine, probe.inputs).score - probe.score).max() < 1e-6
    assert gpu.calls.count("graph") == 2
    assert "execute" not in gpu.calls
    engine.close()


@pytest.mark.parametrize("what", ["recording fails", "the model cannot be recorded"])
def test_a_model_that_cannot_be_recorded_is_enqueued_and_that_is_said(
    graphs: dict[str, bool],
    gpu: NumpyGpu,
    trt: FakeTensorRT,
    recipe: Recipe,
    plans: PlanCache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    graphs["fails"] = what == "recording fails"
    build(recipe, plans)
    if not graphs["fails"]:
        begin = Recording.begin

        def and_refuse(recording: Recording) -> None:
            begin(recording)
            trt.fail["IExecutionContext.execute_async_v3"] = "loops cannot be captured"

        monkeypatch.setattr(Recording, "begin", and_refuse)
    engine = open_it(recipe, plans)
    assert isinstance(engine, TensorRTEngine)
    assert not engine.uses_graph
    assert "no CUDA graph" in caplog.text
    assert gpu.recorded is None, "the stream was left in its recording state"
    probe = tiny.probe(1)
    assert np.abs(score_map(engine, probe.inputs).score - probe.score).max() < 1e-6
    engine.close()
