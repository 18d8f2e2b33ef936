"""No engine serves that has not just given the recipe's own scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.kits import tiny
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.engines.backends import BACKENDS
from voxgate.runtime.engines.engine import Engine, open_engine, score_map
from voxgate.runtime.engines.onnxruntime_engine import OnnxRuntimeEngine, open_cpu
from voxgate.runtime.errors import EngineError, VoxGateError
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.recipe import Recipe


def _recipe(tmp_path: Path, **changes: Any) -> Recipe:
    write_recipe(tmp_path / "r", tiny.parts(**changes))
    return Recipe.load(tmp_path / "r")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(_recipe(tmp_path))


def test_scores_are_those_of_the_graph(engine: Engine) -> None:
    probe = tiny.probe(seed=7)
    assert np.abs(score_map(engine, probe.inputs).score - probe.score).max() < 1e-6
    assert engine.backend == "onnxruntime-cpu"


def test_an_engine_that_gives_other_scores_is_refused(tmp_path: Path) -> None:
    probe = tiny.probe()
    off = Probe(probe.inputs, probe.score + np.float32(2 * tiny.manifest().probe_tolerance))
    with pytest.raises(EngineError, match="does not serve this recipe"):
        open_engine(_recipe(tmp_path, probes=(probe, off)))


def test_a_recipe_without_a_probe_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no probe"):
        open_engine(_recipe(tmp_path, probes=()))


@pytest.mark.parametrize("model", [b"", b"not a model", tiny.difference_model()[:200]])
def test_a_corrupted_model_is_one_line(tmp_path: Path, model: bytes) -> None:
    with pytest.raises(VoxGateError, match=r"cannot be (loaded|read)") as refusal:
        open_engine(_recipe(tmp_path, model=model))
    assert "\n" not in str(refusal.value)


def test_a_score_that_is_not_a_number_is_an_error_not_a_low_score(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="must be finite"):
        open_engine(_recipe(tmp_path, model=tiny.nan_model()))


@pytest.mark.parametrize(
    "model",
    [tiny.difference_model(output="other"), tiny.difference_model(dtype=TensorProto.FLOAT16)],
)
def test_a_model_that_breaks_its_manifest_is_refused(tmp_path: Path, model: bytes) -> None:
    with pytest.raises(EngineError):
        open_engine(_recipe(tmp_path, model=model))


def test_an_unknown_backend_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="onnxruntime-cpu"):
        open_engine(_recipe(tmp_path), backend="abacus")


def test_a_backend_that_is_not_here_says_what_to_do(tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has the provider")
    with pytest.raises(EngineError, match="install onnxruntime-gpu"):
        open_engine(_recipe(tmp_path), backend="onnxruntime-cuda")


def test_wrong_inputs_are_an_engine_error(engine: Engine) -> None:
    with pytest.raises(EngineError):
        engine.run({"image": np.zeros((1, 1, 5, 5), np.uint8)})


def test_a_closed_engine_says_so(engine: Engine) -> None:
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run(tiny.probe().inputs)


def test_every_row_of_the_table_can_be_imported() -> None:
    for row in BACKENDS.values():
        assert hasattr(__import__(row.module, fromlist=[row.opener]), row.opener)


def _threads(model: bytes) -> int:
    """How many onnxruntime is told to use of two."""
    engine = open_cpu(model, 2)
    assert isinstance(engine, OnnxRuntimeEngine)
    return int(engine._live().get_session_options().intra_op_num_threads)


def test_an_engine_does_not_take_the_core_that_it_cannot_use() -> None:
    """The part's shape is judged there meanwhile; a model that multiplies needs both."""
    both = ["x", "w"], ["score"]
    product = helper.make_graph(
        [helper.make_node("MatMul", *both)],
        "product",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in both[0]],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [2, 2])],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(product, opset_imports=opset, ir_version=8)
    assert _threads(tiny.difference_model()) == 1
    assert _threads(model.SerializeToString()) == 2
