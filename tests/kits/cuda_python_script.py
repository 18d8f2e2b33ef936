"""Run by test_with_cuda_python.py in its own process: real cuda-python, a driver without a GPU.

argv: the driver's library, calls that shall fail. Prints what every case found as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from dataclasses import dataclass

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.engines.gpu_memory import ModelMemory
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.device import DeviceFusion
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.gpu.device import Device, open_device
from voxgate.runtime.gpu.pinned_ring import PinnedRing
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.volume import Volume

SHAPE = (120, 160)
CUBIN = b"\x7fELF" + bytes(60)


NO_MEMORY = ModelMemory(0, 0)


@dataclass
class NoEngine:
    """Scores that somebody put there."""

    device: Device
    kernels: bytes = CUBIN
    scores: int = 0
    memory: ModelMemory = NO_MEMORY
    inputs: tuple[TensorSpec, ...] = ()

    def enqueue(self, inputs: dict[str, Tensor], staging: PinnedRing) -> None:
        raise NotImplementedError

    def address_of(self, tensor: str) -> int | None:
        return self.scores if tensor == "score" else None


def rays() -> Rays:
    v, u = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    x = ((u - SHAPE[1] / 2) / 300).astype(np.float32)
    y = ((v - SHAPE[0] / 2) / 300).astype(np.float32)
    return Rays(x, y, np.array([300, 300, 80, 60, 0, 0, 0, 0, 0], np.float64))


def fuse(sparse: bool) -> dict[str, object]:
    device = open_device(library="cuda-python")
    try:
        volume = Volume(GridSpec((-50.0, -40.0, 0.0), (50, 40, 25), 2.0), 3.0, sparse=sparse)
        engine = NoEngine(device)
        fusion = DeviceFusion.proven(
            engine, volume, rays(), True, 12, Crew(1), Stopwatch(lambda: 0)
        )
        fusion.start()
        fusion.finish()
        return {"waits": fusion.staging.waits, "gpu": str(device.info), "library": device.library}
    finally:
        device.close()


def record() -> dict[str, object]:
    """A graph of one kernel: nothing runs while it is recorded, it runs when it is launched."""
    device = open_device(library="cuda-python")
    try:
        recording = device.recording()
        assert recording is not None
        recording.begin()
        graph = recording.end()
        graph.launch()
        device.synchronize()
        return {"launched": True}
    finally:
        device.close()


def refuse() -> dict[str, object]:
    try:
        device = open_device(library="cuda-python")
    except EngineError as error:
        return {"refused": str(error)}
    try:
        device.pinned(device.allocate(64) and 64)
        device.kernels(CUBIN, ("fuse_pixels",))
        device.synchronize()
    except EngineError as error:
        return {"refused": str(error)}
    finally:
        device.close()
    return {}


def main() -> None:
    library, *failures = sys.argv[1:]
    driver = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    found: dict[str, dict[str, object]] = {}

    def note(case: str, result: dict[str, object]) -> None:
        found[case] = {**result, "left": driver.fake_left()}

    note("dense", fuse(False))
    note("sparse", fuse(True))
    note("record", record())
    for failure in failures:
        os.environ["FAKE_CUDA_FAIL"] = failure
        note(failure, refuse())
    os.environ["FAKE_CUDA_FAIL"] = ""
    os.environ["FAKE_CUDA_VERSION"] = "12060"
    note("old driver", refuse())
    os.environ["FAKE_CUDA_VERSION"] = "13000"
    driver.fake_enter_foreign_context()
    note("foreign", refuse())
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
