"""What a graph needs of memory to run, node by node: its constants, and the values alive at the
worst.

In the order of the graph, nothing fused: an engine that fuses needs less, and one that lays values
beside each other more. Of TensorRT's plans, as it told them, the values took 0.3 to 1.3 times as
much at published sizes, 1.5 in INT8; `real_tensorrt` asks it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx
from onnx import helper

from voxgate.export.graph.fold import with_shapes

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class GraphMemory:
    """Bytes. alive: of all values at the worst node; largest: of one value that a node makes."""

    constants: int
    alive: int
    largest: int

    @property
    def total(self) -> int:
        return self.constants + self.alive

    @property
    def total_mb(self) -> int:
        """Rounded up."""
        return -(-self.total // MB)


def memory_of(model: onnx.ModelProto) -> GraphMemory:
    """Of a graph of known shapes; a value whose shape is not known counts nothing."""
    graph = with_shapes(model).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    size = {value.name: _nbytes(value.type.tensor_type) for value in values}
    last = {name: at for at, node in enumerate(graph.node) for name in node.input}
    alive = {value.name: size[value.name] for value in model.graph.input}
    worst = largest = 0
    for at, node in enumerate(graph.node):
        made = {name: size.get(name, 0) for name in node.output if name}
        alive |= made
        largest = max(largest, *made.values())
        worst = max(worst, sum(alive.values()))
        for name in [name for name in alive if last.get(name, at) <= at]:
            del alive[name]
    weights = model.graph.initializer
    constants = sum(_itemsize(c.data_type) * math.prod(c.dims) for c in weights)
    return GraphMemory(constants, worst, largest)


def _nbytes(tensor: onnx.TypeProto.Tensor) -> int:
    sizes = (int(dim.dim_value) for dim in tensor.shape.dim)
    return math.prod(sizes) * _itemsize(tensor.elem_type) if tensor.elem_type else 0


def _itemsize(kind: int) -> int:
    return int(helper.tensor_dtype_to_np_dtype(kind).itemsize)
