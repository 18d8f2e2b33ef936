"""What is taken of a GPU's memory: asked before it is taken, told in one line."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.common.host_memory import available_mb
from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import Device

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """Of one plan. weights_bytes: as large as the plan; scratch_bytes: of its execution context."""

    weights_bytes: int
    scratch_bytes: int

    @property
    def total_mb(self) -> int:
        return to_mb(self.weights_bytes + self.scratch_bytes)


def free_mb(device: Device) -> int:
    """Where CPU and GPU share their memory, what the kernel can clear for us is free too."""
    free = device.free_bytes() // MB
    return max(free, available_mb()) if device.info.integrated else free


def take_room(device: Device, model: ModelMemory, instead: str) -> None:
    """For a plan that is loaded, and whose weights lie there, before it gets its scratch memory.

    Raises as `check_room` does.
    """
    device.held.models_bytes += model.weights_bytes
    check_room(device, model.scratch_bytes, "the model", instead)
    device.held.models_bytes += model.scratch_bytes


def check_room(device: Device, nbytes: int, what: str, instead: str) -> None:
    """Raises EngineError where so much is not there, or not granted, with what to do instead."""
    free, needs = free_mb(device), f"{what} needs {to_mb(nbytes):,} MB"
    if to_mb(nbytes) > free:
        raise EngineError(
            f"{needs}, of {device.info.name}'s {device.info.memory_mb:,} MB {free:,} are free: "
            f"stop what else uses the GPU, or {instead}"
        )
    held = device.held
    if held.granted_bytes is None:
        return
    left = max(held.granted_bytes - held.models_bytes - held.device_bytes, 0)
    if nbytes > left:
        raise EngineError(
            f"{needs}, of the {to_mb(held.granted_bytes):,} MB that engine.gpu_memory_mb grants "
            f"{left // MB:,} are left: raise it, or {instead}"
        )


def taken(device: Device, models: list[ModelMemory]) -> str:
    """For the log, once a recipe is open and before it serves."""
    granted = device.held.granted_bytes
    most = "" if granted is None else f" (engine.gpu_memory_mb: {to_mb(granted):,})"
    of_models = sum(each.total_mb for each in models)
    volume, pinned = to_mb(device.held.device_bytes), to_mb(device.held.pinned_bytes)
    return (
        f"GPU memory: {of_models:,} MB by the model, {volume:,} MB by pictures and volume{most}, "
        f"{free_mb(device):,} MB are left; {pinned:,} MB of the host's are pinned"
    )


def to_mb(nbytes: int) -> int:
    """Rounded up."""
    return -(-nbytes // MB)
