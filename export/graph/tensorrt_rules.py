"""What every TensorRT that is served builds, checked without one.

The operators and their limits hold for TensorRT 10.3 to 11, and 8.6 up to opset 17; a real one,
with the parser of 11, is asked by real_tensorrt, and `tests/tensorrt` holds each rule against it. A
rule names what is wrong with a node, or says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

OPSETS = range(9, 21)
TOPK_MAX = 3840
LISTED = 4  # nodes named in the message
RESIZE_MODES = ("nearest", "linear", "cubic")
RESIZE_COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
GRID_MODES = ("bilinear", "bicubic", "nearest")
ALLOWED = frozenset(
    {
        "Abs", "Add", "And", "ArgMax", "ArgMin", "AveragePool", "BatchNormalization",
        "Cast", "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv",
        "ConvTranspose", "Cos", "CumSum", "DequantizeLinear", "Div", "Einsum", "Elu",
        "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements",
        "GatherND", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater",
        "GreaterOrEqual", "GridSample", "GroupNormalization", "HardSigmoid", "HardSwish",
        "Identity", "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Less",
        "LessOrEqual", "Log", "LogSoftmax", "MatMul", "Max", "MaxPool", "Mean", "Min",
        "Mul", "Neg", "Not", "Or", "PRelu", "Pad", "Pow", "QuantizeLinear", "Reciprocal",
        "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize", "Round",
        "ScatterElements", "ScatterND", "Selu", "Shape", "Sigmoid", "Sign", "Sin", "Size",
        "Slice", "Softmax", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tan",
        "Tanh", "Tile", "TopK", "Transpose", "Unsqueeze", "Where",
    }
)  # fmt: skip
INSTEAD = {
    "NonZero": "its output depends on data: compute with a mask",
    "Unique": "its output depends on data: compute it before export",
    "RoiAlign": "a plugin: crop with Slice",
    "IsNaN": "mark missing values with 0 instead of NaN",
    "Mod": "write x - y * Floor(x / y)",
}
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16}
TYPES = FLOATS | {TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}
ONE_TYPE = frozenset(
    {
        "Add", "BatchNormalization", "Concat", "Conv", "ConvTranspose", "Div", "Gemm",
        "InstanceNormalization", "LayerNormalization", "MatMul", "Max", "Min", "Mul", "Pow",
        "Sub",
    }
)  # fmt: skip


def check(model: onnx.ModelProto, where: str) -> None:
    """Raises EngineError, one line that lists every node TensorRT 10.3 to 11 would not build."""
    known = _Known.of(model, where)
    problems = [*_opset(model), *_inputs(model)]
    for node in model.graph.node:
        problems += [f"{node.op_type} {node.name}: {words}" for words in _of_node(node, known)]
    if problems:
        more = f"; and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
        raise EngineError(
            f"{where}: TensorRT does not build this graph: {'; '.join(problems[:LISTED])}{more}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """Constants, and the type and shape of every tensor."""

    constants: dict[str, onnx.TensorProto]
    types: dict[str, int]
    shapes: dict[str, tuple[int, ...] | None]
    maker: dict[str, onnx.NodeProto]

    @classmethod
    def of(cls, model: onnx.ModelProto, where: str) -> _Known:
        try:
            typed = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError as error:
            raise EngineError(f"{where}: shapes contradict: {one_line(error, most=200)}") from error
        constants = {c.name: c for c in model.graph.initializer}
        types = {name: c.data_type for name, c in constants.items()}
        shapes: dict[str, tuple[int, ...] | None] = {n: tuple(c.dims) for n, c in constants.items()}
        for value in [*typed.graph.input, *typed.graph.value_info, *typed.graph.output]:
            tensor = value.type.tensor_type
            types[value.name] = tensor.elem_type
            fixed = tensor.HasField("shape") and all(d.dim_value > 0 for d in tensor.shape.dim)
            shapes[value.name] = tuple(d.dim_value for d in tensor.shape.dim) if fixed else None
        maker = {name: node for node in model.graph.node for name in node.output}
        return cls(constants, types, shapes, maker)

    def array(self, name: str) -> npt.NDArray[np.generic] | None:
        """A constant's value; None when the tensor is computed."""
        found = self.constants.get(name)
        return None if found is None else numpy_helper.to_array(found)


def _opset(model: onnx.ModelProto) -> Iterator[str]:
    for entry in model.opset_import:
        if entry.domain not in ("", "ai.onnx"):
            yield f"operators of {entry.domain} are unknown to it: export standard ones"
        elif entry.version not in OPSETS:
            yield f"opset {entry.version} is not in 9..20: export with opset 17"


def _inputs(model: onnx.ModelProto) -> Iterator[str]:
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if not all(dim.dim_value > 0 for dim in dims):
            yield f"input {value.name} has no fixed shape: export it for one size"


def _of_node(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if node.op_type not in ALLOWED:
        yield INSTEAD.get(node.op_type, "unknown operator: use others")
        return
    rule = RULES.get(node.op_type)
    if rule is not None:
        yield from rule(node, known)
    axes = node.input[1] if node.op_type.startswith("Reduce") and len(node.input) > 1 else ""
    if axes and axes not in known.constants:
        yield "its axes must be constant"
    yield from _types(node, known)
    for name in node.output:
        if name and known.shapes.get(name) is None:
            yield "the shape of its output is not fixed"


def _types(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if node.op_type not in ("Cast", "QuantizeLinear", "DequantizeLinear"):
        given = {known.types.get(name) for name in node.input if name}
        if TensorProto.UINT8 in given:
            yield "takes UINT8: cast it to float first"
    for name in node.output:
        kind = known.types.get(name, TensorProto.UNDEFINED)
        quantised = node.op_type == "QuantizeLinear"
        if name and kind not in TYPES and not quantised:
            yield f"gives {TensorProto.DataType.Name(kind)}: only float, half, int and bool"
    if node.op_type in ONE_TYPE:
        given = {known.types.get(n) for n in node.input if known.types.get(n) in FLOATS}
        if len(given) > 1:
            yield "mixes FP32 and FP16: cast one of them"


def _resize(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    attributes = _attributes(node)
    if attributes.get("mode", "nearest") not in RESIZE_MODES:
        yield f"its mode must be one of {', '.join(RESIZE_MODES)}"
    if attributes.get("coordinate_transformation_mode", "half_pixel") not in RESIZE_COORDINATES:
        yield f"coordinates must be one of {', '.join(RESIZE_COORDINATES)}"
    if attributes.get("antialias", 0):
        yield "antialias is not built: resize with matrix products"
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        yield "keeps no aspect ratio: give the sizes"
    before, after = known.shapes.get(node.input[0]), known.shapes.get(node.output[0])
    most = 2 if attributes.get("mode") == "cubic" else 3
    if before and after and sum(a != b for a, b in zip(before, after, strict=True)) > most:
        yield f"more than {most} axes change"


def _top_k(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    count = known.array(node.input[1])
    if count is None or int(np.max(count)) > TOPK_MAX:
        yield f"k must be constant and at most {TOPK_MAX}"
    if not _attributes(node).get("sorted", 1):
        yield "must be sorted"


def _grid_sample(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if _attributes(node).get("mode", "bilinear") not in GRID_MODES:
        yield "mode names of opset 20 are read as nearest: export with opset 16 to 19"
    shape = known.shapes.get(node.input[0])
    if shape is not None and len(shape) != 4:
        yield "only pictures are sampled, not volumes"


def _scatter(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    reduction = _attributes(node).get("reduction")
    if reduction not in (None, "none"):
        yield "a reduction is ignored or refused: gather instead"
    elif reduction is not None and node.op_type == "ScatterND":
        yield "leave the attribute reduction out: up to 10.8 refuses any"


def _max_pool(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if len(node.output) > 1 and node.output[1]:
        yield "indices are not built"
    yield from _pool(node)


def _einsum(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    equation = str(_attributes(node).get("equation", "")).replace(" ", "")
    if "..." in equation:
        yield "no ellipsis: write the letters"
        return
    if any(letter.isupper() for letter in equation):
        yield "letters must be a to z"
    terms = equation.replace("->", ",").split(",")
    if any(len(set(term)) < len(term) for term in terms):
        yield "no letter twice in one term: take the diagonal by a product with a mask"


def _power(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if known.types.get(node.input[1]) not in FLOATS:
        yield "its exponent must be float: 10.3 reads no other"


def _layer_normalisation(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if any(node.output[1:]):
        yield "has one output: mean and deviation are not built"


def _average_pool(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    yield from _pool(node)


def _pool(node: onnx.NodeProto) -> Iterator[str]:
    attributes = _attributes(node)
    if any(d != 1 for d in attributes.get("dilations", [])):
        yield "dilations must be 1"
    if len(attributes.get("kernel_shape", (1, 1))) not in (2, 3):
        yield "pools pictures or volumes: add a dimension"


def _pad(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if len(node.input) > 3 and node.input[3] and node.input[3] not in known.constants:
        yield "its axes must be constant"


def _cum_sum(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    if node.input[1] not in known.constants:
        yield "its axis must be constant"


def _quantise(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    scale = known.array(node.input[1])
    if scale is None or not (np.asarray(scale, np.float64) > 0).all():
        yield "its scale must be a positive constant"
    whole = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
    if known.types.get(whole) != TensorProto.INT8:
        yield "only INT8 is quantised: zero points must be INT8, and biases stay float"
    zero = known.array(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    if zero is not None and zero.any():
        yield "zero points must be 0: quantise symmetrically"
    if scale is not None and np.size(scale) > 1 and not _is_weight(node, known):
        yield "activations have one scale, only weights one per channel"


def _is_weight(node: onnx.NodeProto, known: _Known) -> bool:
    """Its values are constants, as INT8 or as floats that a QuantizeLinear rounds."""
    made = known.maker.get(node.input[0])
    source = node.input[0] if made is None else made.input[0]
    return source in known.constants


def _weighted(node: onnx.NodeProto, known: _Known) -> Iterator[str]:
    """Either both inputs come out of Q/DQ or none does; the channel axis is the output's."""
    ends = [known.maker.get(name) for name in node.input]
    pairs = [end is not None and end.op_type == "DequantizeLinear" for end in ends]
    if pairs[0] != pairs[1]:
        yield "both its inputs need Q/DQ, or none"
    if any(pairs[2:]):
        yield "its bias stays float: quantise without it"
    weight = ends[1]
    if weight is None or not pairs[1]:
        return
    scale, shape = known.array(weight.input[1]), known.shapes.get(weight.output[0])
    if scale is None or shape is None or np.size(scale) == 1:
        return
    wanted = _channel_axis(node)
    if _attributes(weight).get("axis", 1) % len(shape) != wanted:
        yield f"its weight's scales must lie along axis {wanted}"


def _channel_axis(node: onnx.NodeProto) -> int:
    """Axis of the weight that becomes the output's channels."""
    if node.op_type == "Gemm" and _attributes(node).get("transB", 0):
        return 0
    return 0 if node.op_type == "Conv" else 1


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        found[attribute.name] = value.decode() if isinstance(value, bytes) else value
    return found


RULES: dict[str, Callable[[onnx.NodeProto, _Known], Iterator[str]]] = {
    "Resize": _resize,
    "TopK": _top_k,
    "GridSample": _grid_sample,
    "ScatterElements": _scatter,
    "ScatterND": _scatter,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "Pow": _power,
    "LayerNormalization": _layer_normalisation,
    "Pad": _pad,
    "Einsum": _einsum,
    "CumSum": _cum_sum,
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _quantise,
    "Conv": _weighted,
    "ConvTranspose": _weighted,
    "Gemm": _weighted,
    "MatMul": _weighted,
}
