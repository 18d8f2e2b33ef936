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
DOMAINS = ("com.microsoft", "pkg.torch")


def written(
    path: Path,
    *nodes: onnx.NodeProto,
    size: Size = CAMERA,
    score: int = TensorProto.FLOAT,
    constants: tuple[onnx.TensorProto, ...] = (),
    functions: tuple[onnx.FunctionProto, ...] = (),
    scored: Size | None = None,
) -> Path:
    """image -> [Cast, nodes] -> score; scored: its size where that is said otherwise."""
    cast = helper.make_node("Cast", ["image"], ["seen"], to=score)
    graph = helper.make_graph(
        [cast, *nodes],
        "found",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, size)],
        [helper.make_tensor_value_info("score", score, scored or size)],
        list(constants),
    )
    opsets = [helper.make_opsetid(name, 17 if not name else 1) for name in ("", *DOMAINS)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))
    onnx.save(model, path)
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


@pytest.mark.parametrize(
    "size",
    [["batch", 1, 150, 200], ["n", 1, "h", "w"], ["n", "c", "h", "w"], [-1, 1, -1, -1]],
)
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


def test_a_score_of_open_size_is_called_zero(small_golden: Golden, tmp_path: Path) -> None:
    rectify = helper.make_node("Relu", ["seen"], ["score"])
    agrees(small_golden, written(tmp_path / "m.onnx", rectify, scored=["n", 1, "h", "w"]))


@pytest.mark.parametrize("on", [False, True])
def test_a_dropout_is_known_by_initializers_alone(
    on: bool, small_golden: Golden, tmp_path: Path
) -> None:
    """torch writes its constants as nodes."""
    said = numpy_helper.from_array(np.array(on), "")
    nodes = (
        helper.make_node("Constant", [], ["on"], value=said),
        helper.make_node("Dropout", ["seen", "", "on"], ["score"], name="drop"),
    )
    path = written(tmp_path / "m.onnx", *nodes)
    if not on:
        return agrees(small_golden, path)
    with pytest.raises(EngineError, match="drops at random"):
        load_onnx_file(small_golden, path)
    return None


def test_a_function_within_the_file_is_taken_for_another_runtimes(
    small_golden: Golden, tmp_path: Path
) -> None:
    """torch's own exporter writes some of its operators as functions of ONNX's."""
    inner = helper.make_node("Relu", ["x"], ["y"])
    opset = [helper.make_opsetid("", 17)]
    function = helper.make_function("pkg.torch", "relu", ["x"], ["y"], [inner], opset)
    node = helper.make_node("relu", ["seen"], ["score"], domain="pkg.torch")
    agrees(small_golden, written(tmp_path / "m.onnx", node, functions=(function,)))


def test_a_constant_in_another_file_ends_in_the_checkers_words(
    small_golden: Golden, tmp_path: Path
) -> None:
    outside = numpy_helper.from_array(np.ones(150 * 200, np.float32).reshape(1, 1, 150, 200), "")
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../../secret.bin")
    nodes = (
        helper.make_node("Constant", [], ["more"], value=outside),
        helper.make_node("Add", ["seen", "more"], ["score"]),
    )
    with pytest.raises(EngineError, match="save it as one file"):
        load_onnx_file(small_golden, written(tmp_path / "m.onnx", *nodes))


@pytest.mark.parametrize("name", ["pair", "errors", "pictures", "fpfh"])
def test_what_no_view_gives_is_taken_for_an_input(
    name: str, small_golden: Golden, tmp_path: Path
) -> None:
    """Sets and scenes have inputs of their own, which nobody hands to a file of somebody's."""
    size = [1, 1, 150, 200]
    graph = helper.make_graph(
        [helper.make_node("Relu", [name], ["score"])],
        "found",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, size)],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(EngineError, match="rename it to one of image, reference, gloss, view, dep"):
        load_onnx_file(small_golden, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("size", "kind", "words"),
    [
        ([1, 150, 200, 1], TensorProto.UINT8, "transpose it in the graph"),
        ([1, 1, 150, 200], TensorProto.FLOAT, "cast and scale it in the graph, from uint8"),
        ([1, 3, 150, 200], TensorProto.UINT8, "golden scan is grey: repeat its grey"),
        ([1, 1, 256, 256], TensorProto.FLOAT, "put scaling and resizing into the graph"),
    ],
)
def test_every_input_is_told_to_be_resized(
    size: Size, kind: int, words: str, small_golden: Golden, tmp_path: Path
) -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["image"], ["score"], to=TensorProto.FLOAT)],
        "found",
        [helper.make_tensor_value_info("image", kind, size)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, size)],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(EngineError, match=words):
        load_onnx_file(small_golden, tmp_path / "m.onnx")


def test_a_score_of_whole_numbers_is_told_to_be_enlarged(
    small_golden: Golden, tmp_path: Path
) -> None:
    rectify = helper.make_node("Relu", ["seen"], ["score"])
    path = written(tmp_path / "m.onnx", rectify, score=TensorProto.DOUBLE)
    with pytest.raises(EngineError, match=r"is float64 .*: cast it in the graph"):
        load_onnx_file(small_golden, path)


def test_a_name_of_the_file_meets_one_of_ours(small_golden: Golden, tmp_path: Path) -> None:
    halves = (
        helper.make_node("Relu", ["seen"], ["score.half"]),
        helper.make_node("Identity", ["score.half"], ["score"]),
    )
    agrees(small_golden, written(tmp_path / "m.onnx", *halves, score=TensorProto.FLOAT16))


def test_a_norm_that_still_learns_is_taken(small_golden: Golden, tmp_path: Path) -> None:
    ones = tuple(numpy_helper.from_array(np.ones(1, np.float32), name) for name in "abcd")
    norm = helper.make_node(
        "BatchNormalization", ["seen", *"abcd"], ["score", "m", "v"], training_mode=1
    )
    with pytest.raises(EngineError, match=r"still learns: .*model\.eval"):
        load_onnx_file(small_golden, written(tmp_path / "m.onnx", norm, constants=ones))


def test_anomalibs_own_export_is_told_to_rename_its_input(
    small_golden: Golden, tmp_path: Path
) -> None:
    open_size: Size = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["input"], ["anomaly_map"]),
            helper.make_node("Relu", ["input"], ["pred_score"]),
        ],
        "found",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, open_size)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, open_size)
            for name in ("pred_score", "anomaly_map")
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(EngineError, match=r"exported by anomalib, .*give voxgate export the check"):
        load_onnx_file(small_golden, tmp_path / "m.onnx")
