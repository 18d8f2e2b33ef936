"""ONNX files as tools leave them: open sizes, half, Dropout, operators of one runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.graph.tensorrt_rules import check
from voxgate.export.graph.tracing import RAW, trace
from voxgate.export.methods.onnx_file import load_onnx_file
from voxgate.runtime.errors import EngineError

Size = list[int | str]
CAMERA: Size = [1, 1, 150, 200]


def written(
    path: Path,
    *nodes: onnx.NodeProto,
    size: Size = CAMERA,
    score: int = TensorProto.FLOAT,
    constants: tuple[onnx.TensorProto, ...] = (),
) -> Path:
    """image -> [Cast, nodes] -> score."""
    cast = helper.make_node("Cast", ["image"], ["seen"], to=score)
    graph = helper.make_graph(
        [cast, *nodes],
        "found",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, size)],
        [helper.make_tensor_value_info("score", score, size)],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def agrees(golden: Golden, path: Path) -> None:
    """TensorRT builds it, and it says what the file says."""
    source = load_onnx_file(golden, path)
    graph = trace(source)
    check(graph, "found")
    given = next(iter(golden_inputs(golden, ["image"])))
    found = ort.InferenceSession(graph.SerializeToString()).run([RAW], given)[0]
    assert found.dtype == np.float32
    assert found.shape == (1, 1, 150, 200)
    assert np.array_equal(found[0, 0], source.original(given))


@pytest.mark.parametrize("size", [["batch", 1, 150, 200], ["n", 1, "h", "w"], ["n", "c", "h", "w"]])
def test_sizes_left_open_are_called_zero(size: Size, small_golden: Golden, tmp_path: Path) -> None:
    rectify = helper.make_node("Relu", ["seen"], ["score"])
    agrees(small_golden, written(tmp_path / "m.onnx", rectify, size=size))


def test_a_score_in_half_is_told_to_be_enlarged(small_golden: Golden, tmp_path: Path) -> None:
    rectify = helper.make_node("Relu", ["seen"], ["score"])
    agrees(small_golden, written(tmp_path / "m.onnx", rectify, score=TensorProto.FLOAT16))


def test_a_dropout_that_passes_on_is_refused(small_golden: Golden, tmp_path: Path) -> None:
    dropout = helper.make_node("Dropout", ["seen", "ratio"], ["score", "mask"], name="drop")
    ratio = numpy_helper.from_array(np.float32(0.5), "ratio")
    agrees(small_golden, written(tmp_path / "m.onnx", dropout, constants=(ratio,)))


def test_a_dropout_in_training_is_taken(small_golden: Golden, tmp_path: Path) -> None:
    dropout = helper.make_node("Dropout", ["seen", "ratio", "on"], ["score"], name="drop")
    ratio = numpy_helper.from_array(np.float32(0.5), "ratio")
    on = numpy_helper.from_array(np.array(True), "on")
    path = written(tmp_path / "m.onnx", dropout, constants=(ratio, on))
    with pytest.raises(EngineError, match=r"drop drops at random: .*model\.eval"):
        load_onnx_file(small_golden, path)


def test_another_runtimes_operator_is_not_named(small_golden: Golden, tmp_path: Path) -> None:
    gelu = helper.make_node("FastGelu", ["seen"], ["score"], domain="com.microsoft")
    with pytest.raises(EngineError, match=r"com\.microsoft\.FastGelu: operators of one runtime"):
        load_onnx_file(small_golden, written(tmp_path / "m.onnx", gelu))
