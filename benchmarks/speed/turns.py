"""What it costs that a plan's layers run in turn: ms and memory, on the GPU that is here.

Side by side each has memory of its own. Measured on the colour detector, whose channels wait for
nothing of each other, in a picture of 3 Mpx.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from voxgate.export.reference.colour_bank import colour_bank
from voxgate.runtime.engines.builder import BuildOptions, build
from voxgate.runtime.engines.tensorrt_engine import TensorRTEngine
from voxgate.runtime.engines.tensorrt_module import load_tensorrt
from voxgate.runtime.gpu.device import Device, open_device
from voxgate.runtime.plans.flavour import Name
from voxgate.runtime.plans.which_plan import Code

SIZE = (1500, 2000)
SIGMA_PX = 6.0  # of the blur that the detector's scores get
WORKSPACE_MB = 2048
WARM_UP_RUNS, RUNS = 5, 30
NO_KERNELS = b""  # nothing is fused here


@dataclass(frozen=True, slots=True)
class Run:
    """ms: the median; memory_mb: that a run takes, weights included."""

    ms: float
    memory_mb: int

    def __str__(self) -> str:
        return f"{self.ms:.3f} ms and {self.memory_mb:,} MB"


def told(flavour: Name) -> str:
    """Both ways, in a sentence. Raises EngineError."""
    model = colour_bank(SIZE, SIGMA_PX).SerializeToString()
    in_turn, beside = (_measured(flavour, model, together) for together in (False, True))
    return (
        f"layers of the colour detector at {SIZE[1]} x {SIZE[0]} px: in turn, as plans are built, "
        f"{in_turn} a run; side by side {beside} ({in_turn.ms / beside.ms:.2f} x the time)"
    )


def _measured(flavour: Name, model: bytes, side_by_side: bool) -> Run:
    tensorrt = load_tensorrt(flavour)
    options = BuildOptions(WORKSPACE_MB, side_by_side=side_by_side)
    with closing(open_device()) as device:
        plan = build(tensorrt, model, "fp32", options, sm=device.info.sm).plan
        code = Code(plan, NO_KERNELS)
        with closing(TensorRTEngine(tensorrt, device, code, owns_device=False)) as engine:
            times = [_once(device, engine) for _ in range(WARM_UP_RUNS + RUNS)]
            return Run(float(np.median(times[WARM_UP_RUNS:])), engine.memory.total_mb)


def _once(device: Device, engine: TensorRTEngine) -> float:
    """Milliseconds, by the GPU's own events."""
    begun = device.mark()
    engine.execute()
    ended = device.mark()
    device.synchronize()
    return device.milliseconds(begun, ended)
