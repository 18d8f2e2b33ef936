"""Each thing TensorRT would not build is found before it meets a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.filter_bank import filter_bank
from export.half import to_half
from export.int8 import quantized
from export.onnx_graph import GraphBuilder
from export.tensorrt_rules import check
from runtime.engine_onnxruntime import open_cpu
from runtime.errors import EngineError

SHAPE = [1, 1, 16, 16]
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


def resize(**attributes: Any) -> Build:
    def build(builder: GraphBuilder, x: str) -> str:
        sizes = builder.constant([1, 1, 8, 8], np.int64)
        return builder.op("Resize", x, "", "", sizes, **attributes)

    return build


BROKEN: dict[str, tuple[Build, str]] = {
    "cubic": (resize(mode="cubic"), "cubic is not built"),
    "coordinates": (
        resize(mode="linear", coordinate_transformation_mode="half_pixel_symmetric"),
        "coordinates must be",
    ),
    "unknown operator": (lambda b, x: b.op("Mod", x, b.constant(2.0), fmod=1), "Floor"),
    "depends on data": (
        lambda b, x: b.op("Cast", b.op("NonZero", x), to=TensorProto.FLOAT),
        "depends on data",
    ),
    "top k": (
        lambda b, x: (
            b.op(
                "ReduceMax",
                b.op("Slice", x, *b._ints([0], [1], [0])),
                keepdims=0,
            )
            and _top_k(b, x)
        ),
        "at most 3840",
    ),
    "double": (
        lambda b, x: b.op("Cast", b.op("Cast", x, to=TensorProto.DOUBLE), to=TensorProto.FLOAT),
        "gives DOUBLE",
    ),
    "scatter": (
        lambda b, x: b.op(
            "ScatterElements", x, b.constant(np.zeros(SHAPE), np.int64), x, reduction="add", axis=3
        ),
        "a reduction is ignored",
    ),
}


def _top_k(builder: GraphBuilder, x: str) -> str:
    flat = builder.op("Reshape", builder.op("Tile", x, builder.constant([1, 1, 32, 1], np.int64)),
                      builder.constant([1, -1], np.int64))  # fmt: skip
    return builder.op("Identity", _first_output(builder, flat))


def _first_output(builder: GraphBuilder, flat: str) -> str:
    node = helper.make_node(
        "TopK", [flat, builder.constant([5000], np.int64)], ["values", "places"], name="top"
    )
    builder.nodes.append(node)
    return "values"


@pytest.mark.parametrize("case", BROKEN)
def test_what_tensorrt_does_not_build_is_named(case: str) -> None:
    build, words = BROKEN[case]
    with pytest.raises(EngineError, match=words):
        check(graph(build), "this model")


def test_an_opset_it_does_not_read_is_named() -> None:
    with pytest.raises(EngineError, match="opset 21"):
        check(graph(lambda b, x: b.op("Abs", x), opset=21), "this model")


def test_mixed_types_are_named() -> None:
    def mixed(builder: GraphBuilder, x: str) -> str:
        half = builder.op("Cast", x, to=TensorProto.FLOAT16)
        return builder.op("Cast", builder.op("Concat", half, half, axis=1), to=TensorProto.FLOAT)

    check(graph(mixed), "this model")


def test_the_default_detector_is_built() -> None:
    check(filter_bank((60, 80), 6.0), "reference")


def test_activations_quantised_with_a_zero_point_are_named() -> None:
    def asymmetric(builder: GraphBuilder, x: str) -> str:
        scale, zero = builder.constant(0.1), builder.constant(3, np.int8)
        return builder.op(
            "DequantizeLinear", builder.op("QuantizeLinear", x, scale, zero), scale, zero
        )

    with pytest.raises(EngineError, match="must be 0"):
        check(graph(asymmetric), "this model")


# --- precision: what the passes make must be what the rules allow --------------------------------


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
    import onnxruntime as ort

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
