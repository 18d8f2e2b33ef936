"""A Jetson's DLA runs what it can, by choice alone; what it leaves to the GPU is named."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import onnx
import pytest

from tests.kits import gpu_kit, tiny
from tests.kits.gpu_kit import Box
from tests.runtime.engines.test_tensorrt_contract import recipe_of
from voxgate.runtime.cli import main
from voxgate.runtime.engines.engine import open_engine, score_map
from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe

WITH_DLA = ("8.6", "10.3", "11.4")
HALF = 2**-11
"""How far a score below 1 is rounded in FP16."""


@pytest.fixture(params=["10.3"])
def box(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Box:
    return gpu_kit.install(monkeypatch, request.param)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return recipe_of("fp16", tmp_path)


@pytest.fixture
def plans(tmp_path: Path) -> PlanCache:
    return PlanCache.beside(tmp_path / "r" / "tiny" / "1")


def computed_in_fp32(recipe: Recipe) -> set[str]:
    """Layers of its graph, read by ONNX's own inference of types."""
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(recipe.model)).graph
    types = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.output]}
    return {n.name for n in graph.node if types[n.output[0]] != onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("box", WITH_DLA, indirect=True)
def test_the_gpu_runs_alone_what_a_dla_was_asked_for(
    box: Box, recipe: Recipe, plans: PlanCache
) -> None:
    built = gpu_kit.build(recipe, plans, dla_core=1).sidecar
    assert (built.dla_core, set(built.gpu_layers)) == (1, computed_in_fp32(recipe))
    assert box.tensorrt.built_with["dla_core"] == 1
    engine = open_engine(recipe, "tensorrt", plans=plans)
    try:
        probe = tiny.probe(seed=3)
        assert np.abs(score_map(engine, probe.inputs).score - probe.score).max() < HALF
        assert engine.backend == f"tensorrt-{box.tensorrt.module.__version__}-dla1"
    finally:
        engine.close()
    assert box.tensorrt.loaded_on == [1, 1], "once to be proven, once to serve"


def test_a_dla_is_used_without_being_asked_for(box: Box, recipe: Recipe, plans: PlanCache) -> None:
    built = gpu_kit.build(recipe, plans).sidecar
    assert (built.dla_core, built.gpu_layers) == (None, ())
    assert box.tensorrt.loaded_on == [None]


@pytest.mark.parametrize(
    ("box", "core", "precision", "said"),
    [
        ("rtx-1.7", 0, "fp16", r"TensorRT for RTX 1\.7\.1\.116 has no DLA"),
        ("10.3", 2, "fp16", r"no DLA core 2: TensorRT 10\.3\.0 finds cores 0 to 1 here"),
        ("10.3", 0, "fp32", r"computes in FP16 or INT8.*--precision fp16"),
        ("8.6", 0, "int8", r"the DLA of TensorRT 8\.6\.2 takes no INT8 .* --precision fp16"),
        ("10.3", 0, "int8", r"the DLA of TensorRT 10\.3\.0 takes no INT8"),
    ],
    indirect=["box"],
)
def test_a_dla_that_cannot_run_the_model_is_asked_all_the_same(
    box: Box, core: int, precision: str, said: str, tmp_path: Path, plans: PlanCache
) -> None:
    recipe = recipe_of(precision, tmp_path)
    with pytest.raises(EngineError, match=said) as refusal:
        gpu_kit.build(recipe, plans, flavour=box.tensorrt.backend, dla_core=core)
    assert "without --dla" in str(refusal.value)
    assert not plans.sidecars(recipe)


@pytest.mark.parametrize("box", ["11.4"], indirect=True)
def test_a_board_without_one_is_offered_int8_for_it(
    box: Box, tmp_path: Path, plans: PlanCache
) -> None:
    box.tensorrt.dla_cores = 0
    with pytest.raises(EngineError, match=r"no DLA core 0: TensorRT 11\S* finds none here"):
        gpu_kit.build(recipe_of("int8", tmp_path), plans, dla_core=0)


@pytest.mark.parametrize("box", ["11.4"], indirect=True)
def test_a_plan_for_a_dla_that_runs_none_of_it_is_kept(
    box: Box, tmp_path: Path, plans: PlanCache
) -> None:
    recipe = recipe_of("int8", tmp_path)  # its layers are FP32, as the one that serves sees them
    with pytest.raises(EngineError, match="no layer of this model runs on a DLA"):
        gpu_kit.build(recipe, plans, dla_core=0)
    assert not plans.sidecars(recipe)


def test_what_was_built_last_does_not_serve(box: Box, recipe: Recipe, plans: PlanCache) -> None:
    for core in (0, None, 1, None):
        gpu_kit.build(recipe, plans, force=False, dla_core=core)
        open_engine(recipe, "tensorrt", plans=plans).close()
        assert box.tensorrt.loaded_on[-1] == core
    again = gpu_kit.build(recipe, plans, force=False)
    assert not again.fresh


def test_a_plan_runs_on_a_dla_that_is_not_there(box: Box, recipe: Recipe, plans: PlanCache) -> None:
    """Switched off by another power mode."""
    gpu_kit.build(recipe, plans, dla_core=1)
    box.tensorrt.dla_cores = 1
    with pytest.raises(EngineError, match=r"on DLA core 1, which TensorRT 10\.3\.0 does not find"):
        open_engine(recipe, "tensorrt", plans=plans)
    assert not box.tensorrt.alive
    assert not box.gpu.memory


def test_work_of_a_dla_is_recorded_into_a_graph(
    box: Box, recipe: Recipe, plans: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody promises that it is in there: what is launched again would run without it."""
    device = importlib.import_module("voxgate.runtime.gpu.with_pycuda").PycudaDevice
    recorded: list[str] = []
    recording = Mock(begin=lambda: recorded.append("begun"))
    recording.end.side_effect = EngineError("not permitted")
    monkeypatch.setattr(device, "recording", lambda device: recording)
    gpu_kit.build(recipe, plans)
    assert recorded, "as it is without a DLA"
    recorded.clear()
    gpu_kit.build(recipe, plans, dla_core=0)
    assert not recorded


def voxgate(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["voxgate", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_layer_falls_back_to_the_gpu_unsaid(
    box: Box,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "r" / "tiny" / "1"
    assert voxgate(monkeypatch, "build", folder, "--dla", 0) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert "on Numpy Orin with DLA core 0, fp16: built in" in first
    assert {line.partition("on the GPU: ")[2] for line in rest} == computed_in_fp32(recipe)
    assert voxgate(monkeypatch, "build", folder, "--for", "sm_89", "--dla", 0) == 2
    assert "for a Jetson" in capsys.readouterr().err
