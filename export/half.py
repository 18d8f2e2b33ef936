"""FP16 by casts in the graph: what overflows or cancels stays FP32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from runtime.engine import Tensor


def to_half(
    model: onnx.ModelProto,
    keep: Sequence[str] = (),
    samples: Sequence[Mapping[str, Tensor]] = (),
) -> onnx.ModelProto:
    """The same graph in FP16; inputs and outputs keep their types.

    keep: dotted prefixes of submodules that stay FP32 (Source.keep_float32).
    samples: golden inputs; a node whose values come near FP16's range on them stays FP32.
    """
    raise NotImplementedError
