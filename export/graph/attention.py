"""Attention between very many tokens, piece by piece: no matrix of scores that a box cannot hold.

12,100 tokens of a picture of 1540 x 1540 px against each other are 7 GB in a transformer of twelve
heads. Each row of the softmax stands for itself, so that some queries at a time give the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from voxgate.export.graph.fold import static_shapes, with_shapes

MOST_BYTES = 256 << 20  # of one matrix of scores; a smaller one costs more launches
SCORES = 3  # product, scaled, softmax: what is held of one piece at once
FLOAT32_BYTES = 4
PIECE = "/piece_"
BETWEEN = frozenset({"Mul", "Div", "Add"})  # scale and mask, between product and softmax

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class _Attention:
    """steps: from the product of queries and keys to the product with the values, in order."""

    steps: tuple[onnx.NodeProto, ...]
    query: str
    shape: tuple[int, ...]  # of the queries, (..., tokens, channels)
    nbytes: int


def in_pieces(model: onnx.ModelProto, most_bytes: int = MOST_BYTES) -> int:
    """Split, in place, every attention whose scores take more; returns how many there were.

    Only where all shapes are known, and along the queries: what is left out is as it was.
    """
    graph = model.graph
    shapes = static_shapes(with_shapes(model).graph)
    shapes |= {constant.name: tuple(constant.dims) for constant in graph.initializer}
    large = [each for each in _attentions(graph, shapes) if each.nbytes > most_bytes]
    for each in large:
        _split(graph, each, math.ceil(each.nbytes / most_bytes))
    return len(large)


def is_in_pieces(model: onnx.ModelProto) -> bool:
    """Whether an attention of it was split."""
    return any(PIECE in node.name for node in model.graph.node)


def _attentions(graph: onnx.GraphProto, shapes: Shapes) -> Iterator[_Attention]:
    made_by = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for softmax in [node for node in graph.node if node.op_type == "Softmax"]:
        scores = shapes.get(softmax.input[0], ())
        if not _over_last(softmax, len(scores)):
            continue
        steps = _steps(softmax, made_by, readers, shapes)
        if steps is None or steps[0].input[0] not in shapes:
            continue
        query = steps[0].input[0]
        yield _Attention(steps, query, shapes[query], math.prod(scores) * FLOAT32_BYTES)


def _over_last(softmax: onnx.NodeProto, rank: int) -> bool:
    axis = next((a.i for a in softmax.attribute if a.name == "axis"), -1)
    return rank >= 2 and axis in (-1, rank - 1)


def _steps(
    softmax: onnx.NodeProto,
    made_by: dict[str, onnx.NodeProto],
    readers: dict[str, list[onnx.NodeProto]],
    shapes: Shapes,
) -> tuple[onnx.NodeProto, ...] | None:
    """None where anybody else reads the scores, or something else than a scale lies between."""
    after = readers.get(softmax.output[0], [])
    if len(after) != 1 or after[0].op_type != "MatMul" or after[0].input[0] != softmax.output[0]:
        return None
    steps = [softmax, after[0]]
    name = softmax.input[0]
    while True:
        node = made_by.get(name)
        if node is None or len(readers[name]) != 1:
            return None
        steps.insert(0, node)
        if node.op_type == "MatMul":
            return tuple(steps)
        before = _scores_of(node, shapes)
        if node.op_type not in BETWEEN or before is None:
            return None
        name = before


def _scores_of(node: onnx.NodeProto, shapes: Shapes) -> str | None:
    """The input that is as large as the output; the other one must be the same for every query."""
    whole = [name for name in node.input if shapes.get(name) == shapes.get(node.output[0])]
    others = [shapes.get(name) for name in node.input if name not in whole]
    same = all(shape is not None and (len(shape) < 2 or shape[-2] == 1) for shape in others)
    return whole[0] if len(whole) == 1 and same else None


def _split(graph: onnx.GraphProto, attention: _Attention, pieces: int) -> None:
    tokens, axis = attention.shape[-2], len(attention.shape) - 2
    last = attention.steps[-1]
    at = list(graph.node).index(last)
    rows = math.ceil(tokens / pieces)
    new: list[onnx.NodeProto] = []
    parts = []
    for number, first in enumerate(range(0, tokens, rows)):
        nodes = _piece(graph, attention, number, (first, min(first + rows, tokens)), axis)
        new += nodes
        parts.append(nodes[-1].output[0])
    new.append(helper.make_node("Concat", parts, last.output, name=f"{last.name}/join", axis=axis))
    for offset, node in enumerate(new):
        graph.node.insert(at + 1 + offset, node)
    for node in attention.steps:
        graph.node.remove(node)


def _piece(
    graph: onnx.GraphProto, attention: _Attention, number: int, span: tuple[int, int], axis: int
) -> list[onnx.NodeProto]:
    """The same steps for some of the queries."""
    mark = f"{PIECE}{number}"
    first = attention.steps[0]
    some = f"{first.output[0]}{mark}/queries"  # of its own: others may have the same ones
    bounds = [f"{some}/{what}" for what in ("first", "end", "axis")]
    for name, value in zip(bounds, (*span, axis), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.array([value], np.int64), name))
    nodes = [
        helper.make_node(
            "Slice", [attention.query, *bounds], [some], name=f"{first.name}{mark}/cut"
        )
    ]
    renamed: dict[str, str] = {}
    for step in attention.steps:
        copy = onnx.NodeProto()
        copy.CopyFrom(step)
        copy.name = f"{step.name}{mark}"
        copy.input[:] = [renamed.get(name, name) for name in step.input]
        renamed[step.output[0]] = copy.output[0] = f"{step.output[0]}{mark}"
        nodes.append(copy)
    nodes[1].input[0] = some  # there alone: queries may be keys and values too
    return nodes
