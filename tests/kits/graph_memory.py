"""What a graph needs of memory, node by node: its constants, and the values alive at the worst."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx
from onnx import TensorProto

BYTES: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.FLOAT16: 2,
    TensorProto.INT32: 4,
    TensorProto.INT64: 8,
    TensorProto.UINT8: 1,
    TensorProto.INT8: 1,
    TensorProto.BOOL: 1,
}


@dataclass(frozen=True, slots=True)
class GraphMemory:
    """Bytes. largest: of one value that a node makes."""

    constants: int
    alive: int
    largest: int

    @property
    def total(self) -> int:
        return self.constants + self.alive


def memory_of(model: onnx.ModelProto) -> GraphMemory:
    """In the order of the graph, nothing fused: an engine that fuses needs less, and one that
    lays values beside each other a little more."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    size = {value.name: _nbytes(value.type.tensor_type) for value in values}
    last = {name: at for at, node in enumerate(graph.node) for name in node.input}
    alive = {value.name: size[value.name] for value in graph.input}
    worst = largest = 0
    for at, node in enumerate(graph.node):
        made = {name: size[name] for name in node.output if name}
        alive |= made
        largest = max(largest, *made.values())
        worst = max(worst, sum(alive.values()))
        for name in [name for name in alive if last.get(name, at) <= at]:
            del alive[name]
    constants = sum(BYTES[c.data_type] * math.prod(c.dims) for c in graph.initializer)
    return GraphMemory(constants, worst, largest)


def _nbytes(tensor: onnx.TypeProto.Tensor) -> int:
    sizes = (int(dim.dim_value) for dim in tensor.shape.dim)
    return BYTES[tensor.elem_type] * math.prod(sizes)
