"""A transformer of many tokens must fit a box: its scores come piece by piece, and say the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxgate.export.graph.attention import FLOAT32_BYTES, in_pieces
from voxgate.export.graph.fold import static_shapes, with_shapes
from voxgate.export.graph.int8 import quantized
from voxgate.export.graph.memory import memory_of

HEADS, TOKENS, CHANNELS = 3, 50, 8
SHAPE = (1, HEADS, TOKENS, CHANNELS)
SCORES = HEADS * TOKENS * TOKENS * FLOAT32_BYTES
KEYS = helper.make_node("Transpose", ["x"], ["keys"], perm=[0, 1, 3, 2], name="/keys")


def model(*nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """From `x` to `y`, both of SHAPE float32."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def run(made: onnx.ModelProto) -> Any:
    picture = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": picture})[0]


def attention(scale: str = "Mul", mask: bool = False) -> onnx.ModelProto:
    """Queries, keys and values are all `x`: the hardest to keep apart."""
    nodes = [
        KEYS,
        helper.make_node("MatMul", ["x", "keys"], ["product"], name="/product"),
        helper.make_node(scale, ["product", "scale"], ["scaled"], name="/scaled"),
        helper.make_node("Add", ["mask", "scaled"], ["masked"], name="/masked"),
        helper.make_node("Softmax", ["masked"], ["weights"], axis=-1, name="/weights"),
        helper.make_node("MatMul", ["weights", "x"], ["y"], name="/values"),
    ]
    of_keys = np.linspace(0, 3, TOKENS, dtype=np.float32)
    rows = (TOKENS, TOKENS) if mask else (1, TOKENS)
    return model(*nodes, scale=np.float32(0.35), mask=np.broadcast_to(of_keys, rows).copy())


@pytest.mark.parametrize("most", [SCORES // 2, SCORES // 7, HEADS * TOKENS * FLOAT32_BYTES])
@pytest.mark.parametrize("scale", ["Mul", "Div"])
def test_scores_that_no_box_can_hold_come_in_pieces_and_say_the_same(most: int, scale: str) -> None:
    made = attention(scale)
    before = run(made)
    assert in_pieces(made, most) == 1
    onnx.checker.check_model(made, full_check=True)
    np.testing.assert_allclose(run(made), before, rtol=1e-6, atol=1e-6)
    shapes = static_shapes(with_shapes(made).graph)
    assert max(map(math.prod, shapes.values())) * FLOAT32_BYTES <= max(most, 4 * math.prod(SHAPE))


def test_two_attentions_of_the_same_queries_are_one_too_many() -> None:
    nodes = []
    for name in ("left", "right"):
        nodes += [
            helper.make_node("MatMul", ["x", "keys"], [f"{name}/product"], name=f"/{name}/product"),
            helper.make_node(
                "Softmax", [f"{name}/product"], [f"{name}/weights"], f"/{name}/weights"
            ),
            helper.make_node("MatMul", [f"{name}/weights", "x"], [name], name=f"/{name}/values"),
        ]
    made = model(KEYS, *nodes, helper.make_node("Add", ["left", "right"], ["y"]))
    before = run(made)
    assert in_pieces(made, SCORES // 2) == 2
    onnx.checker.check_model(made, full_check=True)
    np.testing.assert_allclose(run(made), before, rtol=1e-6, atol=1e-6)


def test_attention_that_fits_is_left_as_it_was() -> None:
    made = attention()
    before = made.SerializeToString()
    assert in_pieces(made, SCORES) == 0
    assert made.SerializeToString() == before


def test_a_mask_that_differs_by_query_is_not_cut_wrongly() -> None:
    assert in_pieces(attention(mask=True), SCORES // 2) == 0


def test_a_softmax_over_queries_is_not_cut() -> None:
    nodes = [
        KEYS,
        helper.make_node("MatMul", ["x", "keys"], ["product"], name="/product"),
        helper.make_node("Softmax", ["product"], ["weights"], axis=-2, name="/weights"),
        helper.make_node("MatMul", ["weights", "x"], ["y"], name="/values"),
    ]
    assert in_pieces(model(*nodes), SCORES // 2) == 0


def test_pieces_lie_in_memory_side_by_side_once_they_are_int8() -> None:
    """Also where the quantiser writes them so."""
    weights = np.random.default_rng(2).normal(size=(3, CHANNELS, CHANNELS)).astype(np.float32)
    made = model(
        *(KEYS, helper.make_node("MatMul", ["x", "first"], ["seen"], name="/first/MatMul")),
        helper.make_node("MatMul", ["seen", "keys"], ["scaled"], name="/product"),
        helper.make_node("Softmax", ["scaled"], ["weights"], axis=-1, name="/weights"),
        helper.make_node("MatMul", ["weights", "x"], ["values"], name="/values"),
        helper.make_node("MatMul", ["values", "second"], ["mapped"], name="/second/MatMul"),
        helper.make_node("MatMul", ["mapped", "third"], ["y"], name="/third/MatMul"),
        **dict(zip(("first", "second", "third"), weights, strict=True)),
    )
    in_pieces(made, SCORES // 7)
    picture = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    quantised = quantized(made, [{"x": picture}])
    assert any(node.op_type == "QuantizeLinear" for node in quantised.graph.node)
    onnx.checker.check_model(quantised, full_check=True)
    assert memory_of(quantised).alive < 1.1 * memory_of(made).alive
