"""What is changed in somebody's ONNX so that an engine builds it, and changes nothing of its score.

Open sizes become the camera's, Dropout that does nothing goes, a half-precision score is cast.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx
import onnx.inliner
from onnx import TensorProto, helper

from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import spec
from voxgate.export.graph.fold import STANDARD
from voxgate.runtime.errors import EngineError

SERVED = ("image", "reference", "gloss", "view", "depth_mm")
"""Of a view. Shape descriptors and voxels need settings that an ONNX file does not carry."""
HALF = ".half"


def as_served(model: onnx.ModelProto, golden: Golden, path: Path) -> onnx.ModelProto:
    """The same score, changed in place. Raises EngineError for operators that no engine has."""
    if model.functions:  # as torch's own exporter writes them
        model = onnx.inliner.inline_local_functions(model)
    _check_domains(model, path)
    _end_training(model.graph, path)
    if _fix_open_sizes(model, golden):
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    _cast_output(model.graph)
    return model


def _check_domains(model: onnx.ModelProto, path: Path) -> None:
    """Sets that the file names and does not use are left out."""
    foreign = sorted({_named(n) for n in model.graph.node if n.domain not in STANDARD})
    if foreign:
        raise EngineError(
            f"{path}: {', '.join(foreign[:3])}: operators of one runtime only, TensorRT has none "
            "of them: save the file before that runtime optimised it, or export it with ONNX's own"
        )
    used = [opset for opset in model.opset_import if opset.domain in STANDARD]
    del model.opset_import[:]
    model.opset_import.extend(used)


def _named(node: onnx.NodeProto) -> str:
    return f"{node.domain}.{node.op_type}"


def _end_training(graph: onnx.GraphProto, path: Path) -> None:
    """A Dropout out of training passes on; one in training would make the score a game of dice."""
    constants = {c.name: c for c in graph.initializer} | _constants_of_nodes(graph)
    for node in graph.node:
        if node.op_type == "BatchNormalization" and _says(node, "training_mode"):
            raise EngineError(
                f"{path}: {node.op_type} {node.name} still learns: export the model after "
                "model.eval()"
            )
        if node.op_type != "Dropout":
            continue
        mode = node.input[2] if len(node.input) > 2 else ""
        known = constants.get(mode)
        if mode and (known is None or bool(onnx.numpy_helper.to_array(known))):
            raise EngineError(
                f"{path}: {node.op_type} {node.name} drops at random: export the model after "
                "model.eval()"
            )
        passing = helper.make_node("Identity", node.input[:1], node.output[:1], name=node.name)
        node.CopyFrom(passing)


def _says(node: onnx.NodeProto, name: str) -> bool:
    return any(attribute.name == name and attribute.i for attribute in node.attribute)


def _constants_of_nodes(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    return {
        node.output[0]: attribute.t
        for node in graph.node
        for attribute in node.attribute
        if node.op_type == "Constant" and attribute.name == "value"
    }


def _fix_open_sizes(model: onnx.ModelProto, golden: Golden) -> bool:
    """Sizes that a file leaves open, as a batch's, become those of the golden scan's pictures."""
    found = any(_is_open(dim) for value in model.graph.output for dim in _dims(value))
    for value in model.graph.input:
        dims = _dims(value)
        wanted = spec(value.name, golden).shape if value.name in SERVED else ()
        for dim, size in zip(dims, wanted, strict=False):
            if _is_open(dim):
                dim.dim_value, found = size, True
    if found:
        del model.graph.value_info[:]
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
    return found


def _free(graph: onnx.GraphProto, name: str) -> str:
    """That name, or a longer one where the file has it already."""
    taken = {made for node in graph.node for made in node.output}
    while name in taken:
        name += "_"
    return name


def _dims(value: onnx.ValueInfoProto) -> Iterable[onnx.TensorShapeProto.Dimension]:
    found: Iterable[onnx.TensorShapeProto.Dimension] = value.type.tensor_type.shape.dim
    return found


def _is_open(dim: onnx.TensorShapeProto.Dimension) -> bool:
    """Unnamed, named, or as some tools write it: 0 or -1."""
    return dim.dim_value <= 0


def _cast_output(graph: onnx.GraphProto) -> None:
    for output in graph.output:
        tensor = output.type.tensor_type
        if tensor.elem_type != TensorProto.FLOAT16:
            continue
        name, half = output.name, _free(graph, output.name + HALF)
        for node in graph.node:
            renamed = [half if made == name else made for made in node.output]
            read = [half if given == name else given for given in node.input]
            node.output[:], node.input[:] = renamed, read
        tensor.elem_type = TensorProto.FLOAT
        cast = helper.make_node("Cast", [half], [name], name=f"{name}.float", to=TensorProto.FLOAT)
        graph.node.append(cast)
