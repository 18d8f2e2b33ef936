"""A traced graph made plain: constants computed, shapes fixed, nothing that only passes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[np.generic]
RANDOM = frozenset({"RandomNormal", "RandomUniform", "Bernoulli", "Multinomial"})
QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})  # on a weight: they say that it is INT8
WEIGHT_BYTES = 4096  # a smaller constant may say a shape, and is not worth to be looked for twice
STANDARD = ("", "ai.onnx")


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function, changed in place: every shape known, every constant an initializer.

    Raises ValueError when a tensor's shape stays unknown: TensorRT would need it at run time; and
    for graphs within graphs.
    """
    graph = model.graph
    _check_flat(graph)
    while _fold_shapes(model) + _fold_constants(graph, model.opset_import):
        pass
    _drop_identities(graph)
    _share_constants(graph)
    _drop_unused(graph)
    typed = with_shapes(model)
    _check_static(typed)
    for output, known in zip(graph.output, typed.graph.output, strict=True):
        output.CopyFrom(known)  # the tracer may have left sizes open that follow from the graph
    return model


def _check_flat(graph: onnx.GraphProto) -> None:
    for node in graph.node:
        if any(attribute.type == onnx.AttributeProto.GRAPH for attribute in node.attribute):
            raise ValueError(
                f"{node.op_type} {node.name} decides at run time what is computed: export the "
                "model without branches and loops"
            )


def _fold_shapes(model: onnx.ModelProto) -> int:
    """Shape of a tensor of static shape is a constant; returns how many were found."""
    graph = model.graph
    wanted = [node for node in graph.node if node.op_type == "Shape"]
    if not wanted:
        return 0
    shapes = static_shapes(with_shapes(model).graph)
    known = [(node, shapes[node.input[0]]) for node in wanted if node.input[0] in shapes]
    for node, shape in known:
        _replace(graph, node, np.array(shape, np.int64))
    return len(known)


def _fold_constants(graph: onnx.GraphProto, opsets: Iterable[onnx.OperatorSetIdProto]) -> int:
    """Nodes of constants only, or of nothing, computed; returns how many were found."""
    constants = {constant.name: constant for constant in graph.initializer}
    done = 0
    for node in list(graph.node):
        given = [name for name in node.input if name]
        is_kept = node.op_type in RANDOM | QDQ or node.domain not in STANDARD
        if is_kept or not all(name in constants for name in given):
            continue
        arrays = {name: numpy_helper.to_array(constants[name]) for name in given}
        values = _evaluated(node, arrays, opsets)
        graph.node.remove(node)
        for name, value in zip(node.output, values, strict=True):
            constants[name] = numpy_helper.from_array(np.asarray(value), name)
            graph.initializer.append(constants[name])
        done += 1
    return done


def _evaluated(
    node: onnx.NodeProto, arrays: dict[str, Array], opsets: Iterable[onnx.OperatorSetIdProto]
) -> list[Array]:
    inputs = [
        helper.make_tensor_value_info(name, _type(array), array.shape)
        for name, array in arrays.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    alone = helper.make_graph([node], "constant", inputs, outputs)
    model = helper.make_model(alone, opset_imports=list(opsets))
    return list(ReferenceEvaluator(model).run(None, arrays))


def _type(array: Array) -> int:
    return int(helper.np_dtype_to_tensor_dtype(array.dtype))


def _drop_identities(graph: onnx.GraphProto) -> None:
    """Readers of a copy read the original; a copy that is an output stays."""
    outputs = {output.name for output in graph.output}
    source: dict[str, str] = {}
    for node in list(graph.node):
        for index, name in enumerate(node.input):
            node.input[index] = source.get(name, name)
        if node.op_type == "Identity" and node.output[0] not in outputs:
            source[node.output[0]] = node.input[0]
            graph.node.remove(node)


def _share_constants(graph: onnx.GraphProto) -> None:
    """Equal ones become one: a backbone that sees picture and depth is there once."""
    first: dict[tuple[object, ...], str] = {}
    shared: dict[str, str] = {}
    for constant in graph.initializer:
        if len(constant.raw_data) >= WEIGHT_BYTES:
            content = hashlib.sha256(constant.raw_data).digest()
            key = (constant.data_type, tuple(constant.dims), content)
            shared[constant.name] = first.setdefault(key, constant.name)
    for node in graph.node:
        node.input[:] = [shared.get(name, name) for name in node.input]


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Nodes that lead to no output, then constants that nobody reads."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [constant for constant in graph.initializer if constant.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto, value: Array) -> None:
    """The node's one output becomes a constant."""
    graph.node.remove(node)
    graph.initializer.append(numpy_helper.from_array(value, node.output[0]))


def static_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor whose shape is written down completely."""
    found = {}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            found[value.name] = tuple(d.dim_value for d in tensor.shape.dim)
    return found


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph and the shape of every value that follows; of weights, the shapes alone: copied
    whole, 700 MB of them take seconds each time."""
    given = model.graph
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = light.graph
    graph.name = given.name
    graph.node.extend(given.node)
    graph.input.extend(given.input)
    graph.output.extend(given.output)
    graph.value_info.extend(given.value_info)
    known = {value.name for value in given.input}
    for constant in given.initializer:
        if len(constant.raw_data) < WEIGHT_BYTES:
            graph.initializer.append(constant)
        elif constant.name not in known:
            kind, shape = constant.data_type, constant.dims
            graph.input.append(helper.make_tensor_value_info(constant.name, kind, shape))
    return onnx.shape_inference.infer_shapes(light, strict_mode=True, data_prop=True)


def _check_static(model: onnx.ModelProto) -> None:
    known = static_shapes(model.graph)
    made = [(node, name) for node in model.graph.node for name in node.output if name]
    unknown = [node.name for node, name in made if name not in known]
    if unknown:
        raise ValueError(f"shapes depend on data at {', '.join(unknown[:3])}: fix them at export")
