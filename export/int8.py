"""INT8 by explicit Q/DQ, calibrated on the golden scan, laid out as TensorRT wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from runtime.engine import Tensor


def quantized(
    model: onnx.ModelProto,
    samples: Sequence[Mapping[str, Tensor]],
    keep: Sequence[str] = (),
) -> onnx.ModelProto:
    """The FP32 graph with Q/DQ pairs. Raises EngineError without samples.

    samples: golden inputs; keep: dotted prefixes of submodules that stay float.
    """
    raise NotImplementedError
