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


def check_room(device: Device, nbytes: int, what: str, instead: str) -> None:
    """Raises EngineError where so much is not there, with what to do instead."""
    free = free_mb(device)
    if to_mb(nbytes) > free:
        raise EngineError(
            f"{what} needs {to_mb(nbytes):,} MB, of {device.info.name}'s "
            f"{device.info.memory_mb:,} MB {free:,} are free: stop what else uses the GPU, or "
            f"{instead}"
        )


def taken(device: Device, models: list[ModelMemory]) -> str:
    """For the log, once a recipe is open and before it serves."""
    of_models = sum(each.total_mb for each in models)
    volume, pinned = to_mb(device.held.device_bytes), to_mb(device.held.pinned_bytes)
    return (
        f"GPU memory: {of_models:,} MB by the model, {volume:,} MB by pictures and volume, "
        f"{free_mb(device):,} MB are left; {pinned:,} MB of the host's are pinned"
    )


def to_mb(nbytes: int) -> int:
    """Rounded up."""
    return -(-nbytes // MB)
