"""A feature network of the user's in place of the filter bank, in the same graph, same head.

The network is any ONNX file with one picture input (1, 1 or 3, h, w) and feature maps
(1, c, h', w') out. 3 channels get true colour where the golden scan has it, else the grey level
thrice; 1 channel gets grey. uint8 inputs get levels; float32 inputs of 3 channels get the usual
ImageNet normalisation, of 1 channel levels over 255. A fixed input size is resized to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, version_converter

from voxgate.export.golden.disturbance import GREY_NOISE
from voxgate.export.graph.fold import folded
from voxgate.export.graph.onnx_graph import OPSET, GraphBuilder
from voxgate.export.reference.comparison_head import (
    Features,
    per_channel,
    tolerances_apart,
    without_light_change,
)
from voxgate.export.reference.filter_bank import BLOCK_PX, UNSTEADY, finish
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError
from voxgate.runtime.nouns import Picture
from voxgate.runtime.pixels.colour import COLOURS, in_front

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# A feature that never moves under light and noise still differs by rounding on another machine.
LEAST_NOISE = 1e-3
SMALLEST_MARK_PX = 3
# Score 1.0 in tolerances: of 10^6 pixels noise alone takes one beyond 5 sigma; one is kept in hand.
FULL_SCALE = 6.0
INPUTS = ("image", "reference", "gloss")

FloatMap = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A user's network, checked and brought to an opset that the head is written in."""

    network: onnx.ModelProto
    channels: int
    size: tuple[int, int] | None  # None: takes any size
    dtype: int  # TensorProto type of its input
    opset: int


def load_backbone(path: Path) -> Backbone:
    """Read a network. Raises EngineError with what to change when it cannot be used."""
    try:
        network = onnx.load(path)
        onnx.checker.check_model(network)
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise EngineError(f"{path}: not a readable ONNX file: {one_line(error)}") from error
    inputs = _inputs(network)
    if len(inputs) != 1:
        raise EngineError(f"{path}: expected one input, got {[i.name for i in inputs]}")
    network = _at_least_opset(network, path)
    tensor = inputs[0].type.tensor_type
    shape = [dim.dim_value for dim in tensor.shape.dim]
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise EngineError(f"{path}: input is (1, 1 or 3, h, w), got {shape}")
    if tensor.elem_type not in (TensorProto.UINT8, TensorProto.FLOAT):
        raise EngineError(f"{path}: input is uint8 or float32; export it so")
    _check_outputs(network, path)
    size = (shape[2], shape[3]) if shape[2] > 0 and shape[3] > 0 else None
    return Backbone(network, shape[1], size, tensor.elem_type, _opset(network))


def backbone_graph(
    backbone: Backbone,
    size_px: tuple[int, int],
    full_scale: float,
    pairs: Sequence[tuple[Picture, Picture]],
) -> onnx.ModelProto:
    """`image`, `reference`, `gloss` uint8 (1, 1, h, w) -> `score`: `full_scale` tolerances are 1.0.

    pairs: golden pictures with themselves under other light and noise, (h, w), or (h, w, 3), and
    then image and reference are of three channels too; what the features of a pair differ by is
    their noise. Raises EngineError when the network fails on them or its
    outputs are no feature maps.
    """
    channels = 1 if pairs[0][0].ndim == 2 else COLOURS
    noise, sizes = _noise(backbone, size_px, channels, pairs)
    graph = GraphBuilder()
    tests = _features(graph, backbone, "image", size_px, channels)
    goldens = _features(graph, backbone, "reference", size_px, channels)
    maps = [
        graph.grow(_apart(graph, test, golden, channel_noise, size, size_px), 1, size_px)
        for test, golden, channel_noise, size in zip(tests, goldens, noise, sizes, strict=True)
    ]
    made = finish(
        graph, maps, full_scale, size_px, INPUTS, backbone.opset, SMALLEST_MARK_PX, channels
    )
    try:
        return folded(made)
    except (ValueError, onnx.shape_inference.InferenceError) as error:
        raise EngineError(f"the backbone: {one_line(error)}") from error


def _apart(
    graph: GraphBuilder,
    test: str,
    golden: str,
    noise: FloatMap,
    size: tuple[int, int],
    size_px: tuple[int, int],
) -> str:
    features = Features(
        difference=graph.op("Sub", test, golden),
        golden=golden,
        noise=graph.constant(per_channel(noise)),
        channels=noise.size,
        size=size,
        block=max(1, round(BLOCK_PX * size[0] / size_px[0])),
    )
    spot = without_light_change(graph, features)
    unsteady = _unsteady_squared(graph, features)
    return tolerances_apart(graph, replace(features, difference=spot), unsteady)


def _unsteady_squared(graph: GraphBuilder, features: Features) -> str:
    """A flicker of so many grey levels moves a feature so many times its noise. (1, c, h, w)"""
    gloss = graph.grow(graph.to_float("gloss"), 1, features.size)
    times_noise = graph.scaled(gloss, UNSTEADY / GREY_NOISE)
    return graph.square(graph.op("Mul", times_noise, features.noise))


def _features(
    graph: GraphBuilder, backbone: Backbone, name: str, size_px: tuple[int, int], channels: int
) -> list[str]:
    picture = _prepared(graph, backbone, name, size_px, channels)
    outputs = graph.include(backbone.network, picture, f"{name}.")
    return [graph.to_float(output) for output in outputs]


def _prepared(
    graph: GraphBuilder, backbone: Backbone, name: str, size_px: tuple[int, int], channels: int
) -> str:
    x = graph.to_float(name)
    if backbone.size is not None and backbone.size != size_px:
        x = graph.grow(x, channels, backbone.size)
    if backbone.channels != channels:  # one that sees no colour gets no picture in colour
        x = graph.op("Concat", x, x, x, axis=1)
    if backbone.dtype == TensorProto.UINT8:
        return graph.op("Cast", x, to=TensorProto.UINT8)
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if backbone.channels == 3 else ((0.0,), (1.0,))
    centred = graph.op("Sub", graph.scaled(x, 1 / 255), graph.constant(per_channel(mean)))
    return graph.op("Div", centred, graph.constant(per_channel(std)))


def _noise(
    backbone: Backbone,
    size_px: tuple[int, int],
    channels: int,
    pairs: Sequence[tuple[Picture, Picture]],
) -> tuple[list[FloatMap], list[tuple[int, int]]]:
    """Per output: rms feature difference per channel over the pairs, and its (h, w)."""
    run = _Network(backbone, size_px, channels)
    golden = [run(image) for image, _ in pairs]
    again = [run(image) for _, image in pairs]
    noise = [
        _rms_per_channel(np.concatenate(a) - np.concatenate(b))
        for a, b in zip(zip(*golden, strict=True), zip(*again, strict=True), strict=True)
    ]
    return noise, [(found.shape[2], found.shape[3]) for found in golden[0]]


def _rms_per_channel(difference: FloatMap) -> FloatMap:
    rms = np.sqrt((difference**2).mean(axis=(0, 2, 3), dtype=np.float64))
    return np.asarray(np.maximum(rms, LEAST_NOISE), np.float32)


class _Network:
    """The prepared network alone, as a function of one picture."""

    def __init__(self, backbone: Backbone, size_px: tuple[int, int], channels: int) -> None:
        graph = GraphBuilder()
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4)
            for name in _features(graph, backbone, "image", size_px, channels)
        ]
        picture = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, channels, *size_px])
        try:
            model = graph.model([picture], outputs, backbone.opset)
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnx and onnxruntime raise undocumented types of their own
            raise EngineError(f"the backbone cannot be run: {one_line(error)}") from error

    def __call__(self, picture: Picture) -> list[FloatMap]:
        """Every feature map (1, c, h, w)."""
        try:
            found = self._session.run(None, {"image": in_front(picture)})
        except Exception as error:  # as above
            raise EngineError(
                f"the backbone fails on {picture.shape}: {one_line(error)}"
            ) from error
        return list(found)


def _check_outputs(network: onnx.ModelProto, path: Path) -> None:
    for output in network.graph.output:
        shape = output.type.tensor_type.shape
        if len(shape.dim) != 4:
            raise EngineError(
                f"{path}: output {output.name} has {len(shape.dim)} dimensions, a feature map is "
                "(1, c, h, w): export a layer before pooling and tokens"
            )


def _inputs(network: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    weights = {weight.name for weight in network.graph.initializer}
    return [value for value in network.graph.input if value.name not in weights]


def _at_least_opset(network: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    if _opset(network) >= OPSET:
        return network
    try:
        return version_converter.convert_version(network, OPSET)
    except RuntimeError as error:
        raise EngineError(
            f"{path}: opset {_opset(network)} cannot be converted to {OPSET}, "
            f"export it with opset {OPSET}: {one_line(error)}"
        ) from error


def _opset(network: onnx.ModelProto) -> int:
    own = (entry.version for entry in network.opset_import if entry.domain in ("", "ai.onnx"))
    return int(max(own, default=0))
