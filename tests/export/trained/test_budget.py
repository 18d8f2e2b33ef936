"""A model that no box can run is refused, with what would fit."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

from tests.kits.nets import graph
from voxgate.export.graph.attention import in_pieces
from voxgate.export.graph.memory import MB, memory_of
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.trained.budget import PATCH_PX, check_memory, fitting_side
from voxgate.runtime.errors import EngineError


def seen_at(side_px: int, channels: int = 64) -> onnx.ModelProto:
    """A graph of so many maps of this side, and an attention of a token for each 16 x 16 px."""

    def network(builder: GraphBuilder, x: str) -> str:
        sizes = builder.constant([1, channels, side_px, side_px], np.int64)
        wide = builder.op("Expand", x, builder.constant([1, channels, 16, 16], np.int64))
        large = builder.op("Resize", wide, "", "", sizes, mode="nearest")
        tokens = (side_px // 16) ** 2
        shape = builder.constant([1, 1, tokens, channels], np.int64)
        flat = builder.op("Reshape", builder.shrink(builder.square(large), 16), shape)
        keys = builder.op("Transpose", flat, perm=[0, 1, 3, 2])
        seen = builder.op("Softmax", builder.op("MatMul", flat, keys), axis=-1)
        return builder.op("MatMul", seen, flat)

    made = graph(network)
    in_pieces(made)
    return made


@pytest.mark.parametrize("most_mb", [1500, 1200, 900])
def test_the_side_that_is_named_does_not_fit_either(most_mb: int) -> None:
    with pytest.raises(EngineError, match="a run needs 1,985 MB") as refusal:
        check_memory(seen_at(2016), "m3dm", 2016, most_mb)
    (side,) = re.findall(r"--input-px (\d+) fits", str(refusal.value))
    assert int(side) % PATCH_PX == 0
    assert check_memory(seen_at(int(side)), "m3dm", int(side), most_mb) <= most_mb


def test_a_side_is_named_where_the_weights_alone_are_too_large() -> None:
    heavy = graph(lambda b, x: b.op("MatMul", x, b.constant(np.zeros((16, 1 << 16)))))
    with pytest.raises(EngineError, match=r"4 of them weights.*smaller --input-px, backbone or"):
        check_memory(heavy, "btf", 1540, 4)


def test_a_method_without_that_option_is_told_to_use_it() -> None:
    with pytest.raises(EngineError, match="smaller backbone or bank"):
        check_memory(seen_at(2016), "padim", None, 1000)


def test_what_fits_is_told() -> None:
    model = seen_at(224)
    assert check_memory(model, "m3dm", 224, 4096) == memory_of(model).total_mb


def test_scores_that_come_in_pieces_shrink_with_the_picture() -> None:
    """They do not: what is left for maps is what is left beside them."""
    alive = 2000 * MB
    assert fitting_side(alive, False, 1568, 500 * MB) == 784
    side = fitting_side(alive, True, 1568, 900 * MB)
    assert side is not None
    assert side < 784
    assert fitting_side(alive, True, 1568, 700 * MB) is None
