"""INT8 layouts: the ones that TensorRT builds pass, each mistake in them is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tests.kits.nets import graph
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.graph.tensorrt_rules import check
from voxgate.runtime.errors import EngineError

CHANNELS = 4
WIDTH = 16  # of the test picture
WEIGHTS: dict[str, tuple[tuple[int, ...], int, dict[str, Any]]] = {
    # shape of the weight, the axis of its output channels, attributes of the node
    "Conv": ((CHANNELS, 2, 3, 3), 0, {"pads": [1] * 4}),
    "ConvTranspose": ((2, CHANNELS, 3, 3), 1, {"pads": [1] * 4}),
    "MatMul": ((WIDTH, CHANNELS), 1, {}),
    "Gemm": ((CHANNELS, WIDTH), 0, {"transB": 1}),
}


@dataclass(frozen=True)
class Layout:
    """One weighted node with Q/DQ around its inputs; the defaults are what TensorRT builds."""

    kind: str
    axis: int | None = None  # None: the right one
    zero: int = 0
    zero_type: type[np.generic] = np.int8
    stored: bool = False  # the weight is INT8 in the file, not rounded by a QuantizeLinear
    is_activation_quantised: bool = True
    bias: str | None = None  # "float" or "int32"
    scale: float = 0.02

    def __call__(self, builder: GraphBuilder, x: str) -> str:
        shape, axis, attributes = WEIGHTS[self.kind]
        if self.kind == "Gemm":
            x = builder.op("Reshape", x, builder.constant([WIDTH, WIDTH], np.int64))
        if self.kind.startswith("Conv"):
            x = builder.op("Concat", x, x, axis=1)
        if self.is_activation_quantised:
            x = self._pair(builder, x, np.array([self.scale]))
        axis = axis if self.axis is None else self.axis
        weight = self._weight(builder, shape, axis)
        return builder.op(self.kind, x, weight, *self._bias(builder), **attributes)

    def _weight(self, builder: GraphBuilder, shape: tuple[int, ...], axis: int) -> str:
        values = np.random.default_rng(0).uniform(-1, 1, shape)
        scales = np.full(shape[axis], 0.01)
        if not self.stored:
            return self._pair(builder, builder.constant(values), scales, axis=axis)
        whole = builder.constant(np.rint(values * 100), np.int8)
        return builder.op("DequantizeLinear", whole, builder.constant(scales), axis=axis)

    def _pair(self, builder: GraphBuilder, x: str, scales: Any, axis: int = 1) -> str:
        one = len(scales) == 1
        shape: tuple[int, ...] = () if one else scales.shape
        settings = (
            builder.constant(np.reshape(scales, shape)),
            builder.constant(np.full(shape, self.zero), self.zero_type),
        )
        more = {} if one else {"axis": axis}
        rounded = builder.op("QuantizeLinear", x, *settings, **more)
        return builder.op("DequantizeLinear", rounded, *settings, **more)

    def _bias(self, builder: GraphBuilder) -> list[str]:
        if self.bias is None:
            return []
        if self.bias == "float":
            return [builder.constant(np.zeros(CHANNELS))]
        whole = builder.constant(np.zeros(CHANNELS), np.int32)
        return [builder.op("DequantizeLinear", whole, builder.constant(0.01))]


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_what_tensorrt_builds_is_not_refused(kind: str, stored: bool) -> None:
    check(graph(Layout(kind, stored=stored)), "this model")


def test_scales_counted_from_the_last_axis_are_the_same_scales() -> None:
    check(graph(Layout("MatMul", axis=-1)), "this model")


def test_a_bias_in_float_is_as_it_should_be() -> None:
    check(graph(Layout("Conv", bias="float")), "this model")


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ({"zero": 3}, "must be 0"),
        ({"zero_type": np.uint8}, "must be INT8"),
        ({"is_activation_quantised": False}, "both its inputs"),
        ({"scale": 0.0}, "positive constant"),
    ],
)
def test_a_mistake_of_any_layer_is_named(kind: str, mistake: dict[str, Any], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        check(graph(replace(Layout(kind), **mistake)), "this model")


@pytest.mark.parametrize("kind", WEIGHTS)
def test_scales_along_the_input_channels_are_named(kind: str) -> None:
    right = WEIGHTS[kind][1]
    with pytest.raises(EngineError, match=f"along axis {right}"):
        check(graph(Layout(kind, axis=1 - right)), "this model")


def test_a_quantised_bias_is_named() -> None:
    with pytest.raises(EngineError, match="bias stays float"):
        check(graph(Layout("Conv", bias="int32")), "this model")


def test_one_scale_per_channel_of_an_activation_is_named() -> None:
    def wide(builder: GraphBuilder, x: str) -> str:
        wider = builder.op("Concat", x, x, axis=1)
        scales = builder.constant([0.1, 0.2])
        zeros = builder.constant([0, 0], np.int8)
        rounded = builder.op("QuantizeLinear", wider, scales, zeros, axis=1)
        return builder.op("DequantizeLinear", rounded, scales, zeros, axis=1)

    with pytest.raises(EngineError, match="activations have one scale"):
        check(graph(wide), "this model")


def test_a_scale_that_depends_on_the_picture_is_named() -> None:
    def dynamic(builder: GraphBuilder, x: str) -> str:
        scale = builder.op("ReduceMax", x, keepdims=0)
        zero = builder.constant(0, np.int8)
        rounded = builder.op("QuantizeLinear", x, scale, zero)
        return builder.op("DequantizeLinear", rounded, scale, zero)

    with pytest.raises(EngineError, match="positive constant"):
        check(graph(dynamic), "this model")
