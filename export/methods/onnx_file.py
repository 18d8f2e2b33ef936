"""Any ONNX file that keeps the contract: validated, never trusted.

Its inputs carry the names the runtime hands over, its one output is a score map of the camera's
size, at least 0. What it computes is its author's; that it computes something, finite and not the
same everywhere, on the golden scan, is checked like everything else of a trained model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.compose
import onnxruntime as ort
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import spec
from voxgate.export.graph.fold import folded
from voxgate.export.methods.onnx_form import SERVED, as_served
from voxgate.export.source import RawScore, Source
from voxgate.runtime.common.text import one_line
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.pixels.colour import COLOURS
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.manifest import PICTURE_INPUTS, TensorSpec

METHOD = "onnx"
RAW = "raw"
OWN = "own."  # so that no name of the file meets one of ours
ANOMALIB_OUTPUTS = {"pred_score", "anomaly_map"}
MAX_BYTES = 1_900_000_000


def load_onnx_file(golden: Golden, path: Path) -> Source:
    """Raises EngineError that says what to change in the file."""
    content = _read(path)
    try:
        model = onnx.load_from_string(content)
        _check_one_file(model, path)
        _check_made_for_us(model, path)
        model = as_served(model, golden, path)
        onnx.checker.check_model(model, full_check=True)
    except (
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise EngineError(f"{path}: not a readable ONNX file: {one_line(error)}") from error
    inputs = _inputs(model, golden, path)
    _check_output(model, golden, path)
    try:
        session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises undocumented types of its own
        raise EngineError(f"{path}: cannot be run: {one_line(error)}") from error

    def original(given: Mapping[str, Tensor]) -> RawScore:
        (score,) = session.run(None, dict(given))
        return np.asarray(score[0, 0], np.float32)

    return Source(
        method=METHOD,
        inputs=inputs,
        network=None,
        graph=_plain(model, path),
        original=original,
        provenance={"file": path.name, "sha256": sha256(content)},
    )


def _check_one_file(model: onnx.ModelProto, path: Path) -> None:
    given = [attribute.t for node in model.graph.node for attribute in node.attribute]
    tensors = [*model.graph.initializer, *given]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        raise EngineError(f"{path}: keeps weights in other files: save it as one file")


def _check_made_for_us(model: onnx.ModelProto, path: Path) -> None:
    """Raises EngineError for what anomalib's own export leaves: of its scores one alone is a map,
    and how its pictures were prepared is not in it."""
    if ANOMALIB_OUTPUTS.issubset(output.name for output in model.graph.output):
        raise EngineError(
            f"{path}: was exported by anomalib, for pictures that somebody prepares: give voxgate "
            "export the checkpoint (.ckpt) that it was made of, by the name of its method"
        )


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EngineError(f"{path}: larger than {MAX_BYTES} bytes, one recipe holds no more")
        return path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror}: name an ONNX file") from error


def _inputs(model: onnx.ModelProto, golden: Golden, path: Path) -> tuple[TensorSpec, ...]:
    weights = {weight.name for weight in model.graph.initializer}
    found = []
    for value in model.graph.input:
        if value.name in weights:
            continue
        if value.name not in SERVED:
            raise EngineError(
                f"{path}: input {value.name!r}: rename it to one of {', '.join(SERVED)}"
            )
        dtype, shape = _described(value)
        wanted = _wanted(value.name, shape, golden)
        if (dtype, shape) != (wanted.dtype, wanted.shape):
            raise EngineError(
                f"{path}: input {value.name} is {dtype} {list(shape)}, the runtime hands "
                f"{wanted.dtype} {list(wanted.shape)}: {_remedy(dtype, shape, wanted)}"
            )
        found.append(wanted)
    if len({each.shape[1] for each in found if each.name in PICTURE_INPUTS}) > 1:
        raise EngineError(
            f"{path}: takes one picture in colour and one in grey: let it take both alike"
        )
    if not found:
        raise EngineError(f"{path}: takes no input: name one of {', '.join(SERVED)}")
    return tuple(found)


def _remedy(dtype: str, shape: tuple[int, ...], wanted: TensorSpec) -> str:
    if sorted(shape) == sorted(wanted.shape) and shape != wanted.shape:
        return "transpose it in the graph"
    if shape[2:] == wanted.shape[2:] and shape[1:2] == (COLOURS,):
        return "the golden scan is grey: repeat its grey in the graph, or record it in colour"
    if shape == wanted.shape:
        return f"cast and scale it in the graph, from {wanted.dtype}"
    return "put scaling and resizing into the graph"


def _wanted(name: str, shape: tuple[int, ...], golden: Golden) -> TensorSpec:
    """As the golden scan has it; also its luma, where the file takes one channel."""
    grey = name in PICTURE_INPUTS and shape[1:2] == (1,)
    return spec(name, golden.in_grey() if grey else golden)


def _check_output(model: onnx.ModelProto, golden: Golden, path: Path) -> None:
    shape = (1, 1, *golden.rays.x.shape)
    outputs = list(model.graph.output)
    if len(outputs) != 1:
        raise EngineError(f"{path}: has {len(outputs)} outputs, the score map is the only one")
    if _described(outputs[0]) != ("float32", shape):
        dtype, found = _described(outputs[0])
        raise EngineError(
            f"{path}: output {outputs[0].name} is {dtype} {list(found)}, a score map is float32 "
            f"{list(shape)}: {'cast' if found == shape else 'enlarge'} it in the graph"
        )


def _plain(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """With the output named `raw` and every shape fixed."""
    model = onnx.compose.add_prefix(model, OWN, rename_inputs=False)
    output = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("Identity", [output], [RAW], name="/raw"))
    model.graph.output[0].name = RAW
    del model.graph.value_info[:]
    try:
        return folded(model)
    except (ValueError, onnx.shape_inference.InferenceError) as error:
        raise EngineError(f"{path}: {one_line(error)}") from error


def _described(value: onnx.ValueInfoProto) -> tuple[str, tuple[int, ...]]:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"a {str(kind).removesuffix('_type')}", ()
    tensor = value.type.tensor_type
    if tensor.elem_type == onnx.TensorProto.UNDEFINED:
        return "of no type", ()
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    return dtype, tuple(dim.dim_value for dim in tensor.shape.dim)
