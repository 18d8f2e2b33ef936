"""A model whose tensors lie in other files is refused: no signature covers those."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.kits import tiny
from voxgate.runtime.recipe.external_data import refers_elsewhere


def elsewhere() -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "weights")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/shadow"
    return tensor


def initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(elsewhere())


def constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=elsewhere()))


def branch(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [], [elsewhere()])
    outer = helper.make_graph(
        [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)], "o", [], []
    )
    model.graph.node.append(
        helper.make_node("If", ["x"], ["y"], then_branch=outer, else_branch=outer)
    )


def function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=elsewhere())
    opset = helper.make_opsetid("", 17)
    model.functions.append(helper.make_function("own", "f", [], ["c"], [node], [opset]))


def sparse(model: onnx.ModelProto) -> None:
    indices = numpy_helper.from_array(np.zeros(4, np.int64), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(elsewhere(), indices, [16]))


@pytest.mark.parametrize("put", [initializer, constant, branch, function, sparse])
def test_a_tensor_in_another_file_is_found_wherever_it_hides(put: object) -> None:
    model = onnx.load_from_string(tiny.difference_model())
    assert not refers_elsewhere(model.SerializeToString())
    assert callable(put)
    put(model)
    assert refers_elsewhere(model.SerializeToString())


def test_what_readers_skip_hides_nothing_behind_it() -> None:
    """A group of an unknown field, as protocol buffers had them once."""
    model = onnx.load_from_string(tiny.difference_model())
    initializer(model)
    group = b"\xa3\x06" + b"\x08\x01" + b"\x12\x02ab" + b"\xa4\x06"
    onnx.load_from_string(group + model.SerializeToString())  # onnx reads it
    assert refers_elsewhere(group + model.SerializeToString())
    assert not refers_elsewhere(group + tiny.difference_model())


def test_what_is_no_model_is_left_to_the_engine_to_refuse() -> None:
    assert not refers_elsewhere(b"\xff" * 40)
    assert not refers_elsewhere(b"not a model")
