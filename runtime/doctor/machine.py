"""The machine as the doctor sees it: files, commands and the cell. Tests put in another one."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.runtime.doctor.port_probe import Taken, why_taken
from voxgate.runtime.gpu.jetson import Run, run_command

if TYPE_CHECKING:
    from voxgate.runtime.config.sections import CellConfig

NVIDIA_VENDOR = "0x10de"


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None


def _glob(pattern: str) -> Sequence[str]:
    return sorted(str(path) for path in Path("/").glob(pattern.lstrip("/")))


def _may_use(path: str) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _free_bytes(path: str) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Machine:
    """config: the cell's, where one is given; without it only the machine is examined."""

    config: CellConfig | None = None
    run: Run = run_command
    read: Callable[[str], str | None] = _read
    glob: Callable[[str], Sequence[str]] = _glob
    may_use: Callable[[str], bool] = _may_use
    free_bytes: Callable[[str], int | None] = _free_bytes
    why_taken: Callable[[str], Taken | None] = why_taken
    cores: Callable[[], int] = _cores
    processor: str = field(default_factory=platform.machine)
    python: tuple[int, ...] = tuple(sys.version_info[:3])
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def board(self) -> str | None:
        """The Jetson's model; None on any other machine."""
        model = self.read("/proc/device-tree/model")
        return model if model and ("Jetson" in model or "NVIDIA" in model) else None

    @property
    def has_gpu(self) -> bool:
        """Whether NVIDIA hardware is here at all, with or without a driver."""
        vendors = (self.read(path) for path in self.glob("/sys/bus/pci/devices/*/vendor"))
        return self.board is not None or NVIDIA_VENDOR in vendors

    @property
    def needs_gpu(self) -> bool:
        """Whether the cell cannot be served without one."""
        return self.config is not None and self.config.engine.backend in (
            *("tensorrt", "tensorrt-rtx", "onnxruntime-cuda", "onnxruntime-tensorrt"),
        )

    @property
    def concerned(self) -> bool:
        """Whether rows about the GPU are of any interest."""
        return self.has_gpu or self.needs_gpu
