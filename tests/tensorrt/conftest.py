"""Collected where TensorRT for RTX is: `make test-tensorrt` installs it."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = ["test_*.py"] if find_spec("tensorrt_rtx_bindings") is None else []
