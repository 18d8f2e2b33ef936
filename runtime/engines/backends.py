"""Where every backend lives: a table that imports none, so that whoever lists them loads none."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.plans.flavour import RTX, TENSORRT

AUTO = "auto"
DEFAULT_BACKEND = "onnxruntime-cpu"


@dataclass(frozen=True, slots=True)
class BackendRow:
    """A module and its opener; imported when chosen, so that nothing optional is a dependency.

    from_plan: whether it opens what `voxgate build` made, not the graph itself.
    """

    module: str
    opener: str
    install: str
    from_plan: bool = False


BACKENDS: dict[str, BackendRow] = {
    TENSORRT: BackendRow(
        "voxgate.runtime.engines.open_plan",
        "open_plan",
        "pip install tensorrt pycuda",
        from_plan=True,
    ),
    RTX: BackendRow(
        "voxgate.runtime.engines.open_plan",
        "open_rtx_plan",
        "pip install 'voxgate[rtx]'",
        from_plan=True,
    ),
    DEFAULT_BACKEND: BackendRow(
        "voxgate.runtime.engines.onnxruntime_engine", "open_cpu", "pip install voxgate"
    ),
    "onnxruntime-cuda": BackendRow(
        "voxgate.runtime.engines.onnxruntime_engine", "open_cuda", "pip install onnxruntime-gpu"
    ),
    "onnxruntime-tensorrt": BackendRow(
        "voxgate.runtime.engines.onnxruntime_engine",
        "open_tensorrt",
        "pip install onnxruntime-gpu tensorrt",
    ),
}
