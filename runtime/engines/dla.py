"""A Jetson's deep-learning accelerator (DLA), by choice: it runs what it can, the GPU the rest.

It computes in FP16 or INT8 and shares no CUDA core with the GPU, which stays free for fusion. Orin
NX and AGX have one or two, Orin Nano, Thor and cards none. Before TensorRT 11 it takes no strongly
typed network and no INT8 that is written into the graph; then 11.4.1 is the first that has it again
(NVIDIA, "Working with DLA").
"""

from __future__ import annotations

from typing import Any

from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.flavour import RTX, Edition, api_of, flavour_of

STRONGLY_TYPED = (11, 0)
"""The first TensorRT whose DLA builds are."""


def check(tensorrt: Any, builder: Any, core: int, precision: str) -> None:
    """Raises EngineError where no DLA of this TensorRT runs a model of this precision."""
    here = Edition.of(tensorrt)
    if flavour_of(tensorrt).name == RTX:
        raise EngineError(f"{here} has no DLA, a Jetson's TensorRT has: build without --dla")
    cores = int(builder.num_DLA_cores)
    if core >= cores:
        found = {0: "none", 1: "core 0 alone"}.get(cores, f"cores 0 to {cores - 1}")
        raise EngineError(f"no DLA core {core}: {here} finds {found} here; build without --dla")
    if precision == "fp32":
        raise EngineError(
            "a DLA computes in FP16 or INT8, this recipe in FP32: export it with --precision fp16, "
            "or build without --dla"
        )
    if precision == "int8" and api_of(tensorrt) < STRONGLY_TYPED:
        raise EngineError(
            f"the DLA of {here} takes no INT8 that is written into the graph: export the recipe "
            "with --precision fp16, or build without --dla"
        )


def aim(tensorrt: Any, network: Any, config: Any, core: int) -> tuple[str, ...]:
    """Build for this core; returns the names of the layers that stay on the GPU.

    Raises EngineError where all do.
    """
    config.default_device_type = tensorrt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(tensorrt.BuilderFlag.GPU_FALLBACK)
    layers = [network.get_layer(number) for number in range(network.num_layers)]
    on_gpu = tuple(str(layer.name) for layer in layers if not config.can_run_on_DLA(layer))
    if len(on_gpu) == len(layers):
        raise EngineError("no layer of this model runs on a DLA: build without --dla")
    return on_gpu


def take(tensorrt: Any, runtime: Any, core: int) -> None:
    """Plans that this runtime loads run on this core. Raises EngineError where there is none."""
    if core >= int(runtime.num_DLA_cores):
        raise EngineError(
            f"the plan runs on DLA core {core}, which {Edition.of(tensorrt)} does not find here: "
            "type: voxgate build RECIPE, on this machine"
        )
    runtime.DLA_core = core
