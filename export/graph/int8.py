"""INT8 by explicit Q/DQ, calibrated on the golden scan, laid out as TensorRT wants it.

Symmetric, one scale per activation, one per output channel of a weight; biases stay float; nothing
is quantised that the precision of the score hangs on: the first and last layers, norms, softmax,
distances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from voxgate.export.graph.strips import layer_of
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError

QUANTISED = ("Conv", "MatMul")
FLAT = (
    4  # dimensions of a picture's tensor; volumes stay float, TensorRT has few INT8 kernels there
)


def quantized(
    model: onnx.ModelProto,
    samples: Sequence[Mapping[str, Tensor]],
    keep: Sequence[str] = (),
) -> onnx.ModelProto:
    """The FP32 graph with Q/DQ pairs. Raises EngineError without samples, or nothing to quantise.

    samples: golden inputs; keep: dotted prefixes of submodules that stay float.
    """
    if not samples:
        raise EngineError("INT8 is calibrated on golden pictures, none were given")
    names = _quantised(model, keep)
    if not names:
        raise EngineError("INT8: no layer of this model may be quantised, use --precision fp16")
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Reader(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=names,
            op_types_to_quantize=list(QUANTISED),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "AddQDQPairToWeight": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": list(QUANTISED),
            },
        )
        found = onnx.load(target)
    _drop_foreign_opsets(found)
    _write_in_order_of(model, found)
    return found


class _Reader(CalibrationDataReader):
    """The golden samples, one after the other."""

    def __init__(self, samples: Sequence[Mapping[str, Tensor]]) -> None:
        self._samples: Iterator[Mapping[str, Tensor]] = iter(samples)

    def get_next(self) -> dict[str, Tensor] | None:
        sample = next(self._samples, None)
        return None if sample is None else dict(sample)


def _quantised(model: onnx.ModelProto, keep: Sequence[str]) -> list[str]:
    """Convolutions and products with constant weights, without the first and last of them."""
    constants = {c.name: len(c.dims) for c in model.graph.initializer}
    scopes = tuple(f"/{prefix.replace('.', '/')}/" for prefix in keep)
    found = [
        node.name
        for node in model.graph.node
        if node.op_type in QUANTISED
        and constants.get(node.input[1], FLAT + 1) <= FLAT
        and not node.name.startswith(scopes)
    ]
    layers = list(dict.fromkeys(layer_of(name) for name in found))
    return [name for name in found if layer_of(name) in layers[1:-1]]


def _drop_foreign_opsets(model: onnx.ModelProto) -> None:
    """onnxruntime leaves its own domain in the list of opsets; no node uses it."""
    own = [entry for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend(own)


def _write_in_order_of(model: onnx.ModelProto, quantised: onnx.ModelProto) -> None:
    """The quantiser writes pieces of attention side by side that are made one after the other:
    whoever runs nodes as they are written would hold all of them at once."""
    made_by = {name: node for node in quantised.graph.node for name in node.output}
    written: dict[str, onnx.NodeProto] = {}

    def write(node: onnx.NodeProto) -> None:
        if node.output[0] not in written:
            for name in node.input:
                if name in made_by:
                    write(made_by[name])
            written[node.output[0]] = node

    for node in (*model.graph.node, *quantised.graph.node):
        if node.output[0] in made_by:
            write(made_by[node.output[0]])
    del quantised.graph.node[:]
    quantised.graph.node.extend(written.values())
