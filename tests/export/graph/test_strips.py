"""Maps that no box can hold are made strip by strip, and say the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from tests.kits.nets import SAMPLES, Build
from voxgate.export.graph.int8 import quantized
from voxgate.export.graph.memory import memory_of
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.graph.strips import in_strips, layer_of

SIZE = [1, 1, 61, 47]
WIDE = 12


def _conv(builder: GraphBuilder, x: str, given: int, side: int, **attributes: object) -> str:
    weight = np.random.default_rng(side).normal(0, 0.3, (WIDE, given, side, side))
    kernel = {"kernel_shape": [side, side], **attributes}
    return builder.op("Relu", builder.op("Conv", x, builder.constant(weight), **kernel))


def described(builder: GraphBuilder, x: str) -> str:
    """As EfficientAD's small networks: nothing is padded, and halved twice."""
    for given, side in ((1, 4), (WIDE, 4)):
        x = _conv(builder, x, given, side)
        x = builder.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    return _conv(builder, x, WIDE, 3)


def padded(builder: GraphBuilder, x: str) -> str:
    """Zeros around convolutions, and windows that reach over each other and over the border."""
    x = _conv(builder, x, 1, 5, pads=[2] * 4)
    x = builder.op(
        "AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=0
    )
    x = _conv(builder, x, WIDE, 3, pads=[2, 1, 2, 1], dilations=[2, 1])
    return builder.op("MaxPool", x, kernel_shape=[3, 3], strides=[3, 3], pads=[1, 1, 1, 0])


def model(build: Build) -> onnx.ModelProto:
    builder = GraphBuilder()
    result = build(builder, "x")
    for number, node in enumerate(builder.nodes):
        node.name = f"/net/{node.op_type}_{number}"
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, SIZE)
    found = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
    made = helper.make_graph(builder.nodes, "test", [given], [found], builder.constants)
    opsets = [helper.make_opsetid("", 17)]
    return onnx.shape_inference.infer_shapes(
        helper.make_model(made, opset_imports=opsets, ir_version=8)
    )


def run(made: onnx.ModelProto) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    picture = np.random.default_rng(1).normal(size=SIZE).astype(np.float32)
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": picture})[0])


@pytest.mark.parametrize("parts", [2, 5, 11])
@pytest.mark.parametrize("build", [described, padded])
def test_strips_say_something_else_than_the_whole(build: Build, parts: int) -> None:
    whole, split = model(build), model(build)
    largest = memory_of(whole).largest
    assert in_strips(split, largest // parts) == 1
    onnx.checker.check_model(split, full_check=True)
    np.testing.assert_allclose(run(split), run(whole), rtol=0, atol=1e-6)
    reached = 2.0 * largest / parts  # with the rows that two strips both see
    assert memory_of(split).largest < max(reached, memory_of(whole).largest / 4 * 1.01)


def test_two_networks_that_see_one_picture_are_one_too_many() -> None:
    """EfficientAD's teacher and student: strips of the picture had one name for both."""

    def pair(builder: GraphBuilder, x: str) -> str:
        return builder.sum(described(builder, x), described(builder, x))

    whole, split = model(pair), model(pair)
    assert in_strips(split, memory_of(whole).largest // 3) == 2
    onnx.checker.check_model(split, full_check=True)
    np.testing.assert_allclose(run(split), run(whole), rtol=0, atol=1e-6)


def test_a_map_that_fits_is_cut() -> None:
    whole = model(described)
    assert in_strips(whole, memory_of(whole).largest) == 0
    assert whole == model(described)


def test_a_map_that_others_read_too_is_lost() -> None:
    """Then it must be there whole."""

    def read_twice(builder: GraphBuilder, x: str) -> str:
        wide = _conv(builder, x, 1, 3, pads=[1] * 4)
        halved = builder.op("AveragePool", wide, kernel_shape=[2, 2], strides=[2, 2])
        return builder.sum(builder.op("ReduceMax", halved), builder.op("ReduceMax", wide))

    assert in_strips(model(read_twice), 1) == 0


def test_the_first_layer_is_quantised_where_it_is_split() -> None:
    """It and the last one stay float, in every strip."""
    samples = [{"x": np.resize(s["image"], SIZE).astype(np.float32)} for s in SAMPLES]
    split = model(described)
    in_strips(split, memory_of(split).largest // 3)
    made = quantized(split, samples)
    layers = {
        layer_of(node.name)
        for node in made.graph.node
        if node.op_type == "Conv" and "DequantizeLinear" in node.input[1]
    }
    assert layers == {"/net/Conv_3"}
