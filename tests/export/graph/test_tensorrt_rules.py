"""Each thing TensorRT would not build is found before it meets a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.kits.nets import SHAPE, Build, graph
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.graph.tensorrt_rules import check
from voxgate.export.reference.filter_bank import filter_bank
from voxgate.runtime.errors import EngineError


def resize(**attributes: Any) -> Build:
    def build(builder: GraphBuilder, x: str) -> str:
        sizes = builder.constant([1, 1, 8, 8], np.int64)
        return builder.op("Resize", x, "", "", sizes, **attributes)

    return build


BROKEN: dict[str, tuple[Build, str]] = {
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
    "uint8 arithmetic": (
        lambda b, x: b.op(
            "Cast",
            b.op("Greater", "image", b.constant(np.zeros(1), np.uint8)),
            to=TensorProto.FLOAT,
        ),
        "takes UINT8",
    ),
    "whole exponent": (
        lambda b, x: b.op("Pow", x, b.constant(2, np.int64)),
        "exponent must be float",
    ),
    "diagonal": (
        lambda b, x: b.op("Einsum", x, equation="abii->abi"),
        "no letter twice",
    ),
    "capitals": (lambda b, x: b.op("Einsum", x, equation="ABij->ABji"), "a to z"),
    "mixed types": (
        lambda b, x: b.op("Add", x, b.op("Cast", x, to=TensorProto.FLOAT16)),
        "mixes FP32 and FP16|shapes contradict",
    ),
    "normalisation's deviation": (
        lambda b, x: _second_output(b, x),
        "has one output",
    ),
    "pooling of rows": (
        lambda b, x: b.op("AveragePool", _as_row(b, x), kernel_shape=[3]),
        "pools pictures or volumes",
    ),
    "scattering none": (
        lambda b, x: b.op(
            "ScatterND", x, b.constant(np.zeros((1, 1)), np.int64), x, reduction="none"
        ),
        "leave the attribute",
    ),
    "scatter": (
        lambda b, x: b.op(
            "ScatterElements", x, b.constant(np.zeros(SHAPE), np.int64), x, reduction="add", axis=3
        ),
        "a reduction is ignored",
    ),
}


def _as_row(builder: GraphBuilder, x: str) -> str:
    return builder.op("Reshape", x, builder.constant([1, 1, -1], np.int64))


def _second_output(builder: GraphBuilder, x: str) -> str:
    node = helper.make_node(
        "LayerNormalization", [x, builder.constant(np.ones(16))], ["normed", "mean"], name="norm"
    )
    builder.nodes.append(node)
    return "normed"


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


NEWER_OPSET: dict[str, Build] = {
    "opset 21": lambda b, x: b.op("Abs", x),
    "dilated pooling": lambda b, x: b.op("AveragePool", x, kernel_shape=[2, 2], dilations=[2, 2]),
    "aspect ratio": resize(mode="linear", keep_aspect_ratio_policy="not_larger"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_tensorrt_does_not_build_is_named(case: str) -> None:
    build, words = BROKEN[case]
    with pytest.raises(EngineError, match=words):
        check(graph(build), "this model")


def test_an_opset_it_does_not_read_is_named() -> None:
    with pytest.raises(EngineError, match="opset 21"):
        check(graph(NEWER_OPSET["opset 21"], opset=21), "this model")


def test_cubic_is_built_of_pictures() -> None:
    check(graph(resize(mode="cubic")), "this model")


def test_one_type_throughout_is_built() -> None:
    def halved(builder: GraphBuilder, x: str) -> str:
        half = builder.op("Cast", x, to=TensorProto.FLOAT16)
        return builder.op("Cast", builder.op("Concat", half, half, axis=1), to=TensorProto.FLOAT)

    check(graph(halved), "this model")


@pytest.mark.parametrize(
    ("case", "words"),
    [("dilated pooling", "dilations must be 1"), ("aspect ratio", "aspect ratio")],
)
def test_what_opset_19_added_is_named(case: str, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        check(graph(NEWER_OPSET[case], opset=19), "this model")


def test_the_default_detector_is_built() -> None:
    check(filter_bank((60, 80), 6.0), "reference")
