"""A GPU behind a small interface: memory, one stream, kernels. pycuda and cuda-python fill it.

Everything happens in the device's primary context, the one TensorRT works in, on one stream that
is not the default one, from the one thread that opened the device.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.errors import LibraryTooNew

log = logging.getLogger(__name__)

ALIGNMENT = 256  # bytes, of every address that TensorRT is given
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Which GPU this is, as far as an engine built for it depends on that."""

    name: str
    sm: int  # 87: compute capability 8.7
    multiprocessors: int  # fewer in a saving power mode
    memory_mb: int
    integrated: bool  # CPU and GPU share their memory
    driver: str  # CUDA version the driver brings, e.g. 12.6

    def __str__(self) -> str:
        return f"{self.name} (sm_{self.sm}, {self.multiprocessors} multiprocessors)"


@dataclass(frozen=True, slots=True, eq=False)
class Pinned:
    """Page-locked memory: the host sees `array`, the GPU sees `address`."""

    array: Bytes
    address: int


@dataclass(slots=True)
class Held:
    """What was asked of a device so far, by whoever has it open.

    models_bytes: by plans, beside `device_bytes`. granted_bytes: the most of both; None: all.
    """

    device_bytes: int = 0
    pinned_bytes: int = 0
    models_bytes: int = 0
    granted_bytes: int | None = None


class Kernel(Protocol):
    """One function of a loaded module."""

    def __call__(self, arguments: Bytes, threads: int) -> None:
        """Enqueue at least `threads` threads; `arguments` is the struct that all of them get."""


class Moment(Protocol):
    """A place in the stream."""

    @property
    def reached(self) -> bool: ...
    def wait(self) -> None: ...


class Captured(Protocol):
    """A recorded piece of the stream's work (CUDA graph)."""

    def launch(self) -> None: ...


class Recording(Protocol):
    """Records what is enqueued instead of doing it."""

    def begin(self) -> None: ...
    def end(self) -> Captured:
        """Also after a failure, so that the stream can be used again. Raises EngineError."""


class Device(Protocol):
    """One open GPU. Every method raises EngineError with the driver's words."""

    library: str  # what drives it: pycuda or cuda-python, with its version
    info: DeviceInfo
    stream: int  # handle, for TensorRT
    held: Held

    def free_bytes(self) -> int:
        """Of the device's memory, what no program has now."""

    def allocate(self, nbytes: int) -> int:
        """Device memory, address a multiple of ALIGNMENT; lives until `close`."""

    def pinned(self, nbytes: int) -> Pinned:
        """Host memory that the GPU reads and writes directly; lives until `close`."""

    def upload(self, address: int, source: Bytes) -> None:
        """Enqueue a copy; `source` is pinned and stays as it is until the copy is done."""

    def download(self, target: Bytes, address: int) -> None:
        """Enqueue a copy into pinned memory; there after `synchronize`."""

    def clear(self, address: int, nbytes: int, byte: int = 0) -> None:
        """Enqueue filling with one byte."""

    def kernels(self, cubin: bytes, names: tuple[str, ...]) -> dict[str, Kernel]:
        """Load compiled kernels."""

    def mark(self) -> Moment:
        """The place that the stream has been filled up to."""

    def milliseconds(self, first: Moment, second: Moment) -> float:
        """Between two moments that were reached."""

    def recording(self) -> Recording | None:
        """None where the library has no CUDA graphs."""

    def synchronize(self) -> None:
        """Wait until everything enqueued is done."""

    def close(self) -> None:
        """Give everything back; no context stays current in this thread."""


class Opener(Protocol):
    """How a library opens a GPU."""

    def __call__(self, ordinal: int) -> Device: ...


@dataclass(frozen=True, slots=True)
class Library:
    """Where a CUDA binding's adapter lives; imported when it is tried."""

    needs: str
    module: str
    install: str


LIBRARIES: dict[str, Library] = {
    "cuda-python": Library(
        "cuda.bindings", "voxgate.runtime.gpu.with_cuda_python", "pip install cuda-bindings"
    ),
    "pycuda": Library("pycuda", "voxgate.runtime.gpu.with_pycuda", "pip install pycuda"),
}
"""In this order: cuda-python has CUDA graphs, pycuda has none."""


def open_device(ordinal: int = 0, library: str | None = None) -> Device:
    """The GPU, through the first library that is installed, or the named one.

    One that is installed but broken is an error, not a reason to try the next; one that is only too
    new for this driver is passed over, and that is said. Raises EngineError.
    """
    too_new: LibraryTooNew | None = None
    for name in [library] if library else LIBRARIES:
        row = LIBRARIES[name]
        if not _installed(row.needs):
            continue
        try:
            module = importlib.import_module(row.module)
        except (ImportError, OSError) as error:
            raise EngineError(
                f"{name} is installed but does not load: {error}; is the NVIDIA driver there? "
                "voxgate doctor says more"
            ) from error
        try:
            return cast(Opener, module.open_device)(ordinal)
        except LibraryTooNew as error:
            log.warning("%s is passed over: %s", name, error)
            too_new = error
    if too_new is not None:
        raise too_new
    wanted = [LIBRARIES[library]] if library else list(LIBRARIES.values())
    raise EngineError(f"no CUDA binding is installed; type: {wanted[-1].install}")


def _installed(package: str) -> bool:
    if sys.modules.get(package) is not None:
        return True
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
