"""What a graph needs of memory, against counts made by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.kits.nets import Build, graph
from voxgate.export.graph.memory import memory_of
from voxgate.export.graph.onnx_graph import GraphBuilder

PIXELS = 16 * 16  # of the test picture, one byte each
FLOATS = 4 * PIXELS


def chain(builder: GraphBuilder, x: str) -> str:
    """Each value is read by the next alone."""
    return builder.square(builder.square(builder.square(x)))


def fork(builder: GraphBuilder, x: str) -> str:
    """The first value is read at the end once more."""
    return builder.sum(builder.square(builder.square(x)), x)


@pytest.mark.parametrize(("shape", "maps"), [(chain, 2), (fork, 3)])
def test_a_value_is_counted_while_nobody_reads_it_any_more(shape: Build, maps: int) -> None:
    needs = memory_of(graph(shape))
    assert needs.alive == maps * FLOATS
    assert needs.largest == FLOATS


def test_weights_are_not_counted() -> None:
    def weighted(builder: GraphBuilder, x: str) -> str:
        return builder.sum(x, builder.constant(np.zeros((16, 16))))

    needs = memory_of(graph(weighted))
    assert needs.constants == FLOATS
    assert needs.total == needs.constants + needs.alive
    assert needs.total_mb == 1  # rounded up


def test_a_value_of_unknown_shape_stops_an_export() -> None:
    model: onnx.ModelProto = graph(chain)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "h"
    assert memory_of(model).total == 0
