"""Small networks: one whose precision is reduced, and one that an operator is put into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from voxgate.export.graph.onnx_graph import GraphBuilder

SHAPE = [1, 1, 16, 16]


def small_net() -> onnx.ModelProto:
    """Four convolutions and a squared difference at the end."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder()
    x = builder.scaled(builder.to_float("image"), 1 / 255)
    channels = 1
    for wide in (8, 8, 8, 8):
        weight = builder.constant(rng.normal(0, 0.4, (wide, channels, 3, 3)))
        x = builder.op("Relu", builder.op("Conv", x, weight, pads=[1] * 4))
        channels = wide
    apart = builder.op("Sub", x, builder.constant(0.1))
    score = builder.channel_mean(builder.square(apart), channels)
    for number, node in enumerate(builder.nodes):
        node.name = f"/net/{node.op_type}_{number}"
    return builder.model(
        [helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE)],
        [helper.make_tensor_value_info(score, TensorProto.FLOAT, SHAPE)],
    )


SAMPLES = [
    {"image": np.random.default_rng(n).integers(0, 256, SHAPE, dtype=np.uint8)} for n in range(3)
]


def run(model: onnx.ModelProto) -> np.ndarray[Any, Any]:
    session = ort.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, SAMPLES[0])[0])


Build = Callable[[GraphBuilder, str], str]


def graph(build: Build, opset: int = 17) -> onnx.ModelProto:
    """image uint8 -> float -> what `build` makes of it, float32; unchecked by design."""
    builder = GraphBuilder()
    result = build(builder, builder.to_float("image"))
    made = helper.make_graph(
        builder.nodes,
        "rules",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE)],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)],
        builder.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
