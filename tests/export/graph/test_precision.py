"""Reduced precision: what the passes make is what TensorRT's rules allow, and it still counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.kits.nets import SAMPLES, SHAPE, graph, run, small_net
from voxgate.export.graph.half import rounded, to_half
from voxgate.export.graph.int8 import quantized
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.graph.tensorrt_rules import check
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import EngineError


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


def gained(factor: float) -> onnx.ModelProto:
    """One layer's weights times a factor, the next one's divided by it."""
    model = small_net()
    weights = [c for c in model.graph.initializer if len(c.dims) == 4]
    for weight, gain in zip(weights[1:3], (factor, 1 / factor), strict=True):
        values = numpy_helper.to_array(weight) * np.float32(gain)
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return model


@pytest.mark.parametrize("factor", [2e4, 1e6])
def test_a_layer_beyond_halfs_range_stays_float(factor: float) -> None:
    model = gained(factor)
    want = run(model)
    assert not np.isfinite(run(rounded(to_half(model)))).all()  # without samples it overflows
    found = run(rounded(to_half(model, samples=SAMPLES)))
    assert np.abs(found - want).max() < 1e-2 * want.max()


def test_values_cast_to_half_at_the_first_product_are_watched() -> None:
    builder = GraphBuilder()
    large = builder.scaled(builder.to_float("image"), 2000.0)
    score = builder.op("Conv", large, builder.constant(np.full((1, 1, 1, 1), 5e-4)))
    model = builder.model(
        [helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE)],
        [helper.make_tensor_value_info(builder.op("Abs", score), TensorProto.FLOAT, SHAPE)],
    )
    assert np.isfinite(run(rounded(to_half(model, samples=SAMPLES)))).all()
    assert np.isinf(run(rounded(to_half(model)))).any()


def by_reference(model: onnx.ModelProto, given: dict[str, Any]) -> np.ndarray[Any, Any]:
    (found,) = list(ReferenceEvaluator(model).run(None, given))
    return np.asarray(found)


def test_onnxruntime_keeps_the_casts_that_round() -> None:
    """60 x 2000 in half is infinite, whatever it is divided by next; as ONNX's reference says."""
    builder = GraphBuilder()
    x = builder.op("Cast", builder.to_float("image"), to=TensorProto.FLOAT16)
    weight = builder.constant(np.full((1, 1, 1, 1), 2000.0), np.float16)
    large = builder.op("Conv", x, weight)
    small = builder.op("Mul", large, builder.constant(1 / 2000, np.float16))
    score = builder.op("Cast", small, to=TensorProto.FLOAT)
    model = builder.model(
        [helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE)],
        [helper.make_tensor_value_info(score, TensorProto.FLOAT, SHAPE)],
    )
    given = {"image": np.full(SHAPE, 60, np.uint8)}
    found = ort.InferenceSession(rounded(model).SerializeToString()).run(None, given)[0]
    assert np.isinf(np.asarray(found)).all()
    with np.errstate(over="ignore"):
        assert np.isinf(by_reference(model, given)).all()


def test_rounded_half_is_the_reference_evaluators_half() -> None:
    model = to_half(small_net(), samples=SAMPLES)
    exact, want = run(small_net()), by_reference(model, SAMPLES[0])
    found = run(rounded(model))
    true = np.abs(want - exact).max()
    assert 0.3 * true < np.abs(found - exact).max() < 3 * true


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


def test_a_model_of_which_nothing_can_be_quantised_is_written_as_int8() -> None:
    alone = graph(lambda b, x: b.op("Relu", x))
    with pytest.raises(EngineError, match=r"no layer of this model may be quantised, use --pre"):
        quantized(alone, SAMPLES)
