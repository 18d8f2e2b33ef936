"""FP16 by casts in the graph: what overflows or cancels stays FP32.

Convolutions and matrix products are FP16, and whatever only passes their values on. Norms, softmax,
sums, differences, powers and distances stay FP32, as does all that comes before the first product
or after the last. TensorRT builds such a graph strongly typed, without precision flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from voxgate.runtime.engines.engine import Tensor

PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
# these take the type of what they are given
PASSING = frozenset(
    {
        "Add", "Mul", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Erf", "MaxPool", "AveragePool",
        "GlobalAveragePool", "Concat", "Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze",
        "Split", "Pad", "Flatten", "Expand", "BatchNormalization", "Gather", "Max", "Min",
    }
)  # fmt: skip
HALF_MAX = 65504.0
SAFE_MAX = HALF_MAX / 8  # pictures of the line may be three bits brighter than golden ones
WATCH = "voxgate_largest_"
UNROUNDED, HALF = "_unrounded", "_as_half"


def to_half(
    model: onnx.ModelProto,
    keep: Sequence[str] = (),
    samples: Sequence[Mapping[str, Tensor]] = (),
) -> onnx.ModelProto:
    """The same graph in FP16; inputs and outputs keep their types.

    keep: dotted prefixes of submodules that stay FP32 (Source.keep_float32).
    samples: golden inputs; a node that takes or gives values near FP16's range on them stays FP32.
    """
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    scopes = tuple(f"/{prefix.replace('.', '/')}/" for prefix in keep)
    plan = _Plan(typed, scopes, _too_large(model, samples))
    return plan.rewritten()


@dataclass(slots=True)
class _Plan:
    """Which nodes are FP16, and the graph rewritten so."""

    model: onnx.ModelProto
    scopes: tuple[str, ...]
    too_large: frozenset[str]
    floats: set[str] = field(init=False)
    constants: dict[str, npt.NDArray[np.generic]] = field(init=False)
    half: set[str] = field(default_factory=set)  # tensors that will be FP16
    casts: dict[tuple[str, int], str] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    added: list[onnx.TensorProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = {c.name: numpy_helper.to_array(c) for c in graph.initializer}
        values = [*graph.input, *graph.value_info, *graph.output]
        self.floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
        self.floats |= {name for name, a in self.constants.items() if a.dtype == np.float32}

    def rewritten(self) -> onnx.ModelProto:
        graph = self.model.graph
        outputs = {output.name for output in graph.output}
        for node in graph.node:
            is_half = self._is_half(node) and not outputs.intersection(node.output)
            self._emit(node, TensorProto.FLOAT16 if is_half else TensorProto.FLOAT)
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.node[:], model.graph.value_info[:]
        model.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        kept = [c for c in [*graph.initializer, *self.added] if c.name in used]
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _is_half(self, node: onnx.NodeProto) -> bool:
        if node.name.startswith(self.scopes):
            return False
        if self.too_large.intersection([*node.input, *node.output]):
            return False
        given = [name for name in node.input if name in self.floats]
        if not given or any(self._overflows(name) for name in given):
            return False
        if node.op_type in PRODUCTS:
            return True
        moving = [name for name in given if name not in self.constants]
        squared = node.op_type == "Mul" and node.input[0] == node.input[1]
        passing = node.op_type in PASSING and not squared
        return passing and bool(moving) and all(name in self.half for name in moving)

    def _overflows(self, name: str) -> bool:
        constant = self.constants.get(name)
        return constant is not None and bool(np.abs(constant).max(initial=0) > HALF_MAX)

    def _emit(self, node: onnx.NodeProto, kind: int) -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            if name in self.floats:
                copy.input[index] = self._as(name, kind)
        self.nodes.append(copy)
        if kind == TensorProto.FLOAT16:
            self.half.update(name for name in node.output if name)

    def _as(self, name: str, kind: int) -> str:
        """The tensor in this type: itself, a converted constant, or one cast for all readers."""
        is_half = name in self.half
        if is_half == (kind == TensorProto.FLOAT16):
            return name
        if (name, kind) not in self.casts:
            self.casts[name, kind] = self._cast(name, kind)
        return self.casts[name, kind]

    def _cast(self, name: str, kind: int) -> str:
        other = f"{name}{'_half' if kind == TensorProto.FLOAT16 else '_float'}"
        constant = self.constants.get(name)
        if constant is not None:
            self.added.append(numpy_helper.from_array(constant.astype(np.float16), other))
        else:
            cast = helper.make_node("Cast", [name], [other], name=f"/cast/{other}", to=kind)
            self.nodes.append(cast)
        return other


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """An FP16 graph in FP32, every half tensor rounded to half where it is made.

    onnxruntime on a CPU computes FP16 nodes in FP32 and leaves out the casts between them, so that
    what overflows or is lost on a GPU is neither there. Here every result goes to half and back by
    casts of its own, which it keeps; sums stay FP32, as in tensor cores.
    """
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    graph = typed.graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.output]}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        nodes.append(copy)
        for index, name in enumerate(node.output):
            if kinds.get(name) == TensorProto.FLOAT16:
                copy.output[index] = f"{name}{UNROUNDED}"
                nodes += _to_half_and_back(f"{name}{UNROUNDED}", name)
        for attribute in copy.attribute:
            if copy.op_type == "Cast" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    found = onnx.ModelProto()
    found.CopyFrom(model)
    del found.graph.node[:], found.graph.value_info[:]
    found.graph.node.extend(nodes)
    for constant in found.graph.initializer:
        if constant.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(constant).astype(np.float32)
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))
    onnx.checker.check_model(found, full_check=True)
    return found


def _to_half_and_back(name: str, result: str) -> list[onnx.NodeProto]:
    half = f"{result}{HALF}"
    return [
        helper.make_node("Cast", [name], [half], name=f"/round/{half}", to=TensorProto.FLOAT16),
        helper.make_node("Cast", [half], [result], name=f"/round/{result}", to=TensorProto.FLOAT),
    ]


def _too_large(model: onnx.ModelProto, samples: Sequence[Mapping[str, Tensor]]) -> frozenset[str]:
    """Tensors that come near FP16's range on the samples, of all that might become FP16."""
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*typed.value_info, *typed.output]
    floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    touched = [n for n in model.graph.node if n.op_type in PRODUCTS | PASSING]
    both = (name for node in touched for name in (*node.input, *node.output))
    names = [name for name in dict.fromkeys(both) if name in floats]
    if not samples or not names:
        return frozenset()
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for number, name in enumerate(names):
        largest = f"{WATCH}{number}"
        watched.graph.node.extend(
            [
                helper.make_node("Abs", [name], [f"{largest}_abs"]),
                helper.make_node("ReduceMax", [f"{largest}_abs"], [largest], keepdims=0),
            ]
        )
        watched.graph.output.append(helper.make_tensor_value_info(largest, TensorProto.FLOAT, []))
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    asked = [f"{WATCH}{number}" for number in range(len(names))]
    found = np.max([session.run(asked, dict(sample)) for sample in samples], axis=0)
    return frozenset(name for name, top in zip(names, found, strict=True) if not top <= SAFE_MAX)
