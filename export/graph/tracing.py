"""A torch module becomes an ONNX graph: opset 17, one output, static, named after its modules."""

from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from voxgate.export.graph.attention import in_pieces
from voxgate.export.graph.fold import folded
from voxgate.export.graph.onnx_graph import OPSET
from voxgate.export.graph.strips import in_strips
from voxgate.export.source import Source
from voxgate.runtime.common.text import one_line
from voxgate.runtime.engines.engine import OUTPUT
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import TensorSpec

IR_VERSION = 8  # what TensorRT 8.6 reads
RAW = "raw"
PER_THRESHOLD = "per_threshold"
MAX_BYTES = 1_900_000_000  # a protobuf file ends at 2 GiB; the rest is room for node names
TYPES = {"uint8": torch.uint8, "float32": torch.float32}


def trace(source: Source) -> onnx.ModelProto:
    """`source.network` as a graph with the output `raw`. Raises EngineError, one line.

    Nodes are named after the modules they come from, `/nearest/MatMul`: by that the parity gate
    finds the layers to blame, and the precision steps those to leave alone.
    """
    if source.network is None:
        assert source.graph is not None  # a source has one of the two
        in_pieces(source.graph)
        in_strips(source.graph)
        return source.graph
    _check_size(source.method, source.network)
    try:
        exported = _exported(source.network.eval(), source.inputs)
        model = folded(onnx.load_from_string(exported))
    except (RuntimeError, ValueError, onnx.shape_inference.InferenceError) as error:
        raise EngineError(
            f"{source.method}: the graph cannot be traced: {one_line(error)}"
        ) from error
    _unique_names(model.graph)
    in_pieces(model)
    in_strips(model)
    model.ir_version = IR_VERSION
    model.producer_name = "voxgate"
    model.producer_version = ""
    onnx.checker.check_model(model, full_check=True)
    return model


def scaled(model: onnx.ModelProto, threshold: float) -> onnx.ModelProto:
    """The graph with the output `score` = raw / threshold; `model` stays as it is."""
    if not threshold > 0:
        raise ValueError(f"the threshold must be positive, got {threshold}")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    factor = numpy_helper.from_array(np.array(1.0 / threshold, np.float32), PER_THRESHOLD)
    graph.initializer.append(factor)
    multiply = helper.make_node("Mul", [RAW, PER_THRESHOLD], [OUTPUT], name=f"/{PER_THRESHOLD}/Mul")
    graph.node.append(multiply)
    shape = [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape))
    return copy


def raw_as_score(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph at scale 1: what the model itself says, before a threshold is known."""
    return scaled(model, 1.0)


def _exported(network: torch.nn.Module, inputs: tuple[TensorSpec, ...]) -> bytes:
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every size that becomes a constant
        torch.onnx.export(
            network,
            tuple(torch.zeros(spec.shape, dtype=TYPES[spec.dtype]) for spec in inputs),
            buffer,
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=True,
            input_names=[spec.name for spec in inputs],
            output_names=[RAW],
        )
    return buffer.getvalue()


def _check_size(method: str, network: torch.nn.Module) -> None:
    tensors = [*network.parameters(), *network.buffers()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size > MAX_BYTES:
        raise EngineError(
            f"{method}: the model holds {size / 1e9:.1f} GB, one graph can hold "
            f"{MAX_BYTES / 1e9:.1f}: use a smaller bank or backbone"
        )


def _unique_names(graph: onnx.GraphProto) -> None:
    """Node names become TensorRT's layer names; a nameless one is named after what it makes."""
    seen: set[str] = set()
    for node in graph.node:
        name = node.name or f"/{node.output[0].strip('/')}"
        while name in seen:
            name += "_"
        seen.add(name)
        node.name = name
