"""Convolutions of very large maps, strip by strip: no map that a box cannot hold.

EfficientAD's first layer makes 256 maps of 1537 x 1537 px, 2.4 GB, of a picture of 1540 px, and the
next halves them twice. Each row hangs on the rows around it alone, so that some rows of the small
map at a time give the same: each strip sees as many rows more as its kernels reach over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from voxgate.export.graph.fold import static_shapes, with_shapes

MOST_BYTES = 256 << 20  # of one map; a smaller one costs more rows that two strips both compute
FLOAT32_BYTES = 4
STRIP = "/strip_"
WINDOWS = frozenset({"Conv", "MaxPool", "AveragePool"})
POINTWISE = frozenset({"Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip"})

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Which rows of its input a node's rows come from; a pointwise one sees the row itself."""

    reach: int = 1
    step: int = 1
    above: int = 0
    below: int = 0

    def needed(self, first: int, end: int, height: int) -> tuple[int, int, int, int]:
        """For rows first..end of its output: rows of its input, and those padded above and below.

        height: of its input.
        """
        low = first * self.step - self.above
        high = (end - 1) * self.step + self.reach - self.above
        return max(low, 0), min(high, height), max(-low, 0), max(high - height, 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """Nodes one after the other, each read by the next alone. nbytes: of the largest between."""

    steps: tuple[tuple[onnx.NodeProto, _Rows], ...]
    heights: tuple[int, ...]  # of each one's input, and of the last one's output
    nbytes: int


def in_strips(model: onnx.ModelProto, most_bytes: int = MOST_BYTES) -> int:
    """Split, in place, every chain that makes a larger map on its way to a smaller one; returns
    how many there were. What is left out is as it was."""
    graph = model.graph
    shapes = static_shapes(with_shapes(model).graph)
    large = [chain for chain in _chains(graph, shapes) if chain.nbytes > most_bytes]
    for chain in large:
        _split(graph, chain, math.ceil(chain.nbytes / most_bytes))
    return len(large)


def layer_of(name: str) -> str:
    """A node's name before it was split."""
    return name.partition(STRIP)[0]


def _chains(graph: onnx.GraphProto, shapes: Shapes) -> Iterator[_Chain]:
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    kept = {output.name for output in graph.output}
    taken: set[str] = set()
    for node in graph.node:
        run: list[tuple[onnx.NodeProto, _Rows]] = []
        step: onnx.NodeProto | None = node
        while step is not None and step.output[0] not in taken:
            rows = _rows(step, shapes)
            if rows is None:
                break
            run.append((step, rows))
            taken.add(step.output[0])
            after = readers.get(step.output[0], [])
            alone = len(after) == 1 and step.output[0] not in kept
            step = after[0] if alone and after[0].input[0] == step.output[0] else None
        while run and run[-1][1].step == 1:  # from here on nothing shrinks
            run.pop()
        if len(run) > 1:
            yield _chain(run, shapes)


def _chain(run: list[tuple[onnx.NodeProto, _Rows]], shapes: Shapes) -> _Chain:
    heights = [shapes[node.input[0]][2] for node, _ in run]
    between = [math.prod(shapes[node.output[0]]) for node, _ in run[:-1]]
    last = shapes[run[-1][0].output[0]][2]
    return _Chain(tuple(run), (*heights, last), max(between) * FLOAT32_BYTES)


def _rows(node: onnx.NodeProto, shapes: Shapes) -> _Rows | None:
    """None for a node whose rows hang on others than those around them."""
    if any(len(shapes.get(name, ())) != 4 for name in (node.input[0], node.output[0])):
        return None
    if node.op_type in POINTWISE:
        return _Rows()
    if node.op_type not in WINDOWS or len(node.output) != 1:
        return None
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if (
        "kernel_shape" not in given
        or given.get("ceil_mode")
        or given.get("auto_pad", b"NOTSET") != b"NOTSET"
    ):
        return None
    kernel = given["kernel_shape"][0]
    apart = given.get("dilations", [1])[0]
    pads = given.get("pads", [0, 0, 0, 0])
    reach = (kernel - 1) * apart + 1
    return _Rows(reach, given.get("strides", [1])[0], pads[0], pads[2])


def _split(graph: onnx.GraphProto, chain: _Chain, pieces: int) -> None:
    last, height = chain.steps[-1][0], chain.heights[-1]
    at = list(graph.node).index(last)
    rows = math.ceil(height / pieces)
    new: list[onnx.NodeProto] = []
    parts = []
    for number, first in enumerate(range(0, height, rows)):
        nodes = _strip(graph, chain, number, (first, min(first + rows, height)))
        new += nodes
        parts.append(nodes[-1].output[0])
    new.append(helper.make_node("Concat", parts, last.output, name=f"{last.name}/join", axis=2))
    for offset, node in enumerate(new):
        graph.node.insert(at + 1 + offset, node)
    for node, _ in chain.steps:
        graph.node.remove(node)


def _strip(
    graph: onnx.GraphProto, chain: _Chain, number: int, span: tuple[int, int]
) -> list[onnx.NodeProto]:
    """The same nodes for some rows of the last one's output: from the last to the first."""
    mark = f"{STRIP}{number}"
    nodes: list[onnx.NodeProto] = []
    for (step, rows), height in zip(
        reversed(chain.steps), reversed(chain.heights[:-1]), strict=True
    ):
        first, end, above, below = rows.needed(*span, height)
        nodes.insert(0, _copy(step, mark, above, below))
        span = first, end
    source = chain.steps[0][0]
    nodes[0].input[0] = f"{source.output[0]}{mark}/rows"  # of its own: others may see the same map
    return [_cut(graph, source, nodes[0].input[0], mark, span), *nodes]


def _copy(step: onnx.NodeProto, mark: str, above: int, below: int) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(step)
    copy.name = f"{step.name}{mark}"
    copy.input[0], copy.output[0] = f"{step.input[0]}{mark}", f"{step.output[0]}{mark}"
    if step.op_type in WINDOWS:
        kept = [a for a in copy.attribute if a.name != "pads"]
        pads = next((list(a.ints) for a in copy.attribute if a.name == "pads"), [0, 0, 0, 0])
        del copy.attribute[:]
        pads[0], pads[2] = above, below
        copy.attribute.extend([*kept, helper.make_attribute("pads", pads)])
    return copy


def _cut(
    graph: onnx.GraphProto, source: onnx.NodeProto, cut: str, mark: str, span: tuple[int, int]
) -> onnx.NodeProto:
    bounds = [f"{cut}/{what}" for what in ("first", "end", "axis")]
    for name, value in zip(bounds, (*span, 2), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.array([value], np.int64), name))
    return helper.make_node(
        "Slice", [source.input[0], *bounds], [cut], name=f"{source.name}{mark}/cut"
    )
