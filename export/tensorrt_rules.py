"""What TensorRT builds, checked without TensorRT: its parser runs nowhere but beside a GPU."""

from __future__ import annotations

import onnx


def check(model: onnx.ModelProto, where: str) -> None:
    """Raises EngineError, one line that lists every node TensorRT 10.3 to 11 would not build."""
    raise NotImplementedError
