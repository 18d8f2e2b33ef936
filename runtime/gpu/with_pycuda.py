"""pycuda behind the device interface. It has no CUDA graphs.

pycuda.autoinit is never imported: it makes a context of its own, in which TensorRT's pointers are
invalid. Everything pycuda made is freed before its context is popped, as its clean-up demands.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pycuda
import pycuda.driver as driver

from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import (
    Bytes,
    Device,
    DeviceInfo,
    Held,
    Kernel,
    Moment,
    Pinned,
    Recording,
)
from voxgate.runtime.gpu.errors import FOREIGN_CONTEXT, cuda_error
from voxgate.runtime.gpu.launch import THREADS

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: not in step with the legacy default stream


def open_device(ordinal: int) -> Device:
    """Retain and enter the primary context of a GPU. Raises EngineError."""
    return PycudaDevice(ordinal)


class PycudaDevice:
    """One GPU in one thread."""

    def __init__(self, ordinal: int) -> None:
        with _words():
            driver.init()
            if ordinal >= driver.Device.count():
                raise EngineError(f"there is no GPU {ordinal}, only {driver.Device.count()}")
            device = driver.Device(ordinal)
            self._context = _enter(device)
        self._kept: list[Any] = []
        self.held = Held()
        try:
            with _words():
                self._stream = driver.Stream(NON_BLOCKING)
                self.stream = int(self._stream.handle)
                self.info = _info(device)
        except EngineError:
            self.close()
            raise
        self.library = f"pycuda {pycuda.VERSION_TEXT}"

    def free_bytes(self) -> int:
        with _words():
            free, _ = driver.mem_get_info()
        return int(free)

    def allocate(self, nbytes: int) -> int:
        with _words():
            memory = driver.mem_alloc(nbytes)
        self._kept.append(memory)
        self.held.device_bytes += nbytes
        return int(memory)

    def pinned(self, nbytes: int) -> Pinned:
        with _words():
            array = driver.pagelocked_empty(
                nbytes, np.uint8, mem_flags=driver.host_alloc_flags.DEVICEMAP
            )
            memory = array.base
            address = int(memory.get_device_pointer())
        self._kept.append(memory)
        self.held.pinned_bytes += nbytes
        return Pinned(array, address)

    def upload(self, address: int, source: Bytes) -> None:
        with _words():
            driver.memcpy_htod_async(address, source, self._stream)

    def download(self, target: Bytes, address: int) -> None:
        with _words():
            driver.memcpy_dtoh_async(target, address, self._stream)

    def clear(self, address: int, nbytes: int, byte: int = 0) -> None:
        with _words():
            driver.memset_d8_async(address, byte, nbytes, self._stream)

    def kernels(self, cubin: bytes, names: tuple[str, ...]) -> dict[str, Kernel]:
        with _words():
            module = driver.module_from_buffer(cubin)
            functions = {name: module.get_function(name) for name in names}
        self._kept.append(module)
        return {name: partial(self._launch, function) for name, function in functions.items()}

    def _launch(self, function: Any, arguments: Bytes, threads: int) -> None:
        by_value = arguments.view(f"V{arguments.nbytes}")[0]
        blocks = -(-threads // THREADS)
        with _words():
            function(by_value, grid=(blocks, 1), block=(THREADS, 1, 1), stream=self._stream)

    def mark(self) -> Moment:
        with _words():
            event = driver.Event()
            event.record(self._stream)
        return _Event(event)

    def milliseconds(self, first: Moment, second: Moment) -> float:
        assert isinstance(first, _Event)
        assert isinstance(second, _Event)
        with _words():
            return float(second.event.time_since(first.event))

    def recording(self) -> Recording | None:
        return None

    def synchronize(self) -> None:
        with _words():
            self._stream.synchronize()

    def close(self) -> None:
        context, self._context = self._context, None
        if context is None:
            return
        for memory in reversed(self._kept):
            _free(getattr(memory, "free", None))
        self._kept.clear()
        self._stream = None
        with _words():
            driver.Context.pop()
            context.detach()
        _leave()


class _Event:
    def __init__(self, event: Any) -> None:
        self.event = event

    @property
    def reached(self) -> bool:
        with _words():
            return bool(self.event.query())

    def wait(self) -> None:
        with _words():
            self.event.synchronize()


def _enter(device: Any) -> Any:
    """The primary context, current in this thread; none but that may have been."""
    before = driver.Context.get_current()
    context = device.retain_primary_context()
    if before is not None and before != context:
        context.detach()
        raise EngineError(FOREIGN_CONTEXT)
    context.push()
    return context


def _leave() -> None:
    """To release a primary context pycuda makes it current, and leaves it so: pop it again."""
    try:
        libcuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return
    libcuda.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


def _info(device: Any) -> DeviceInfo:
    attribute = driver.device_attribute
    major, minor = device.compute_capability()
    version = int(driver.get_driver_version())
    return DeviceInfo(
        name=str(device.name()),
        sm=10 * major + minor,
        multiprocessors=int(device.get_attribute(attribute.MULTIPROCESSOR_COUNT)),
        memory_mb=int(device.total_memory()) >> 20,
        integrated=bool(device.get_attribute(attribute.INTEGRATED)),
        driver=f"{version // 1000}.{version % 1000 // 10}",
    )


def _free(free: Callable[[], None] | None) -> None:
    """What cannot be freed any more (a lost device) must not keep the rest from being freed."""
    if free is not None:
        try:
            free()
        except driver.Error:
            return


@contextmanager
def _words() -> Iterator[None]:
    try:
        yield
    except driver.Error as error:
        raise cuda_error(str(error)) from error
