"""A graph made plain computes what it computed, and what must stay is still there."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxgate.export.graph.fold import folded

SHAPE = (1, 1, 4, 6)
PICTURE = np.arange(24, dtype=np.float32).reshape(SHAPE)


def model(*nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """From `x` to `y`, both (1, 1, 4, 6) float32."""
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
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": PICTURE})[0]


def operators(made: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in made.graph.node]


def test_weights_that_two_branches_share_are_stored_twice() -> None:
    weights = np.random.default_rng(3).normal(size=(1, 1, 6, 400)).astype(np.float32)
    other = weights + 1
    made = model(
        helper.make_node("MatMul", ["x", "a"], ["by_a"], name="a"),
        helper.make_node("MatMul", ["x", "b"], ["by_b"], name="b"),
        helper.make_node("MatMul", ["x", "c"], ["by_c"], name="c"),
        helper.make_node("Sum", ["by_a", "by_b", "by_c"], ["sum"], name="sum"),
        helper.make_node("ReduceMax", ["sum"], ["most"], axes=[3], name="most"),
        helper.make_node("Mul", ["x", "most"], ["y"], name="y"),
        a=weights,
        b=weights.copy(),
        c=other,
    )
    before = run(made)
    plain = folded(made)
    assert [constant.name for constant in plain.graph.initializer] == ["a", "c"]
    assert np.array_equal(run(plain), before)


@pytest.mark.parametrize(
    "value",
    [
        {"value_float": 2.0},
        {"value_floats": [2.0]},
        {"value": numpy_helper.from_array(np.array([2.0], np.float32))},
    ],
)
def test_a_constant_in_any_spelling_becomes_a_weight(value: dict[str, Any]) -> None:
    made = model(
        helper.make_node("Constant", [], ["two"], name="two", **value),
        helper.make_node("Mul", ["x", "two"], ["y"], name="twice"),
    )
    plain = folded(made)
    assert operators(plain) == ["Mul"]
    np.testing.assert_array_equal(run(plain), 2 * PICTURE)


def test_sizes_that_follow_from_the_input_are_written_down() -> None:
    made = model(
        helper.make_node("Shape", ["x"], ["shape"], name="shape"),
        helper.make_node("Flatten", ["x"], ["flat"], name="flat"),
        helper.make_node("Reshape", ["flat", "shape"], ["same"], name="back"),
        helper.make_node("Neg", ["same"], ["y"], name="negative"),
    )
    plain = folded(made)
    assert "Shape" not in operators(plain)
    np.testing.assert_array_equal(run(plain), -PICTURE)


def test_an_int8_weight_stays_int8() -> None:
    made = model(
        helper.make_node("DequantizeLinear", ["w", "scale"], ["weight"], name="weight"),
        helper.make_node("MatMul", ["x", "weight"], ["y"], name="product"),
        w=np.eye(6, dtype=np.int8),
        scale=np.float32(0.5),
    )
    plain = folded(made)
    assert operators(plain) == ["DequantizeLinear", "MatMul"]
    np.testing.assert_array_equal(run(plain), PICTURE / 2)


def test_a_branch_is_refused_by_its_name() -> None:
    def branch(factor: str) -> onnx.GraphProto:
        output = helper.make_tensor_value_info("z", TensorProto.FLOAT, SHAPE)
        return helper.make_graph([helper.make_node("Mul", ["x", factor], ["z"])], "b", [], [output])

    choice = helper.make_node(
        "If", ["bright"], ["y"], name="light", then_branch=branch("a"), else_branch=branch("b")
    )
    made = model(choice, bright=np.array(True), a=np.float32(1), b=np.float32(2))
    with pytest.raises(ValueError, match=r"If light .* without branches"):
        folded(made)


def test_a_size_that_depends_on_the_picture_is_refused() -> None:
    made = model(
        helper.make_node("NonZero", ["x"], ["where"], name="where"),
        helper.make_node("Cast", ["where"], ["places"], name="places", to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["places"], ["sum"], name="sum", keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"], name="add"),
    )
    with pytest.raises(ValueError, match="shapes depend on data at where"):
        folded(made)
