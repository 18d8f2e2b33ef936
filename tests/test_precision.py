"""Reduced precision: what the passes make is what TensorRT's rules allow, and it still counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.half import to_half
from export.int8 import quantized
from export.onnx_graph import GraphBuilder
from export.tensorrt_rules import check
from runtime.engine_onnxruntime import open_cpu
from runtime.errors import EngineError

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


def types(model: onnx.ModelProto) -> dict[str, int]:
    typed = onnx.shape_inference.infer_shapes(model)
    return {v.name: v.type.tensor_type.elem_type for v in typed.graph.value_info}


def test_products_are_half_and_squares_are_not() -> None:
    model = to_half(small_net(), samples=SAMPLES)
    check(model, "half")
    found = types(model)
    kinds = {node.op_type: {found.get(name) for name in node.output} for node in model.graph.node}
    assert kinds["Conv"] == kinds["Relu"] == {TensorProto.FLOAT16}
    assert kinds["Sub"] == {TensorProto.FLOAT}
    want = run(small_net())
    assert np.abs(run(model) - want).max() < 5e-3 * want.max()


def test_what_is_kept_stays_float() -> None:
    model = to_half(small_net(), keep=("net",))
    assert TensorProto.FLOAT16 not in types(model).values()


def test_a_layer_beyond_halfs_range_stays_float() -> None:
    model = small_net()
    weight = model.graph.initializer[1]
    huge = numpy_helper.to_array(weight) * np.float32(1e6)
    weight.CopyFrom(numpy_helper.from_array(huge, weight.name))
    found = to_half(model, samples=SAMPLES)
    assert np.isfinite(run(found)).all()


def test_int8_is_laid_out_as_tensorrt_wants_it() -> None:
    model = quantized(small_net(), SAMPLES)
    check(model, "int8")
    assert {"QuantizeLinear", "DequantizeLinear"} <= {n.op_type for n in model.graph.node}
    want = run(small_net())
    assert np.abs(run(model) - want).max() < 0.1 * want.max()


def test_int8_is_never_calibrated_on_nothing() -> None:
    with pytest.raises(EngineError, match="golden"):
        quantized(small_net(), [])


def test_int8_leaves_what_is_kept() -> None:
    with pytest.raises(EngineError, match="fp16"):
        quantized(small_net(), SAMPLES, keep=("net",))


def test_onnxruntime_serves_what_the_passes_make() -> None:
    model = to_half(small_net(), samples=SAMPLES)
    model.graph.node[-1].output[0] = "score"
    model.graph.output[0].name = "score"
    engine = open_cpu(model.SerializeToString(), 1)
    assert engine.run(dict(SAMPLES[0])).shape == tuple(SHAPE)
    engine.close()
