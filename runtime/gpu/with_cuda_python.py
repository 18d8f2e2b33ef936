"""NVIDIA's cuda-python (cuda.bindings, CUDA 12 and 13) behind the device interface.

It has CUDA graphs. Every call gives a tuple whose first item says whether it failed.
"""

from __future__ import annotations

import ctypes
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from cuda.bindings import driver

from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import (
    Bytes,
    Captured,
    Device,
    DeviceInfo,
    Held,
    Kernel,
    Moment,
    Pinned,
    Recording,
)
from voxgate.runtime.gpu.errors import FOREIGN_CONTEXT, LibraryTooNew, cuda_error
from voxgate.runtime.gpu.launch import THREADS

_NAME_BYTES = 128


def open_device(ordinal: int) -> Device:
    """Retain and enter the primary context of a GPU. Raises EngineError."""
    return CudaPythonDevice(ordinal)


class CudaPythonDevice:
    """One GPU in one thread."""

    def __init__(self, ordinal: int) -> None:
        _initialise()
        count = _did(driver.cuDeviceGetCount())
        if ordinal >= count:
            raise EngineError(f"there is no GPU {ordinal}, only {count}")
        self._device = _did(driver.cuDeviceGet(ordinal))
        self._open = False
        self.held = Held()
        self._memory: list[Any] = []
        self._host: list[int] = []
        self._modules: list[Any] = []
        self._graphs: list[Any] = []
        self._stream: Any = None
        _enter(self._device)
        self._open = True
        try:
            flags = driver.CUstream_flags.CU_STREAM_NON_BLOCKING
            self._stream = _did(driver.cuStreamCreate(flags))
            self.info = _info(self._device)
        except EngineError:
            self.close()
            raise
        self.stream = int(self._stream)
        self.library = f"cuda-python {version('cuda-bindings')}"

    def free_bytes(self) -> int:
        free, _ = _did(driver.cuMemGetInfo())
        return int(free)

    def allocate(self, nbytes: int) -> int:
        memory = _did(driver.cuMemAlloc(nbytes))
        self.held.device_bytes += nbytes
        self._memory.append(memory)
        return int(memory)

    def pinned(self, nbytes: int) -> Pinned:
        host = int(_did(driver.cuMemHostAlloc(nbytes, driver.CU_MEMHOSTALLOC_DEVICEMAP)))
        self._host.append(host)
        self.held.pinned_bytes += nbytes
        address = int(_did(driver.cuMemHostGetDevicePointer(host, 0)))
        return Pinned(_array(host, nbytes), address)

    def upload(self, address: int, source: Bytes) -> None:
        copied = driver.cuMemcpyHtoDAsync(address, source.ctypes.data, source.nbytes, self._stream)
        _did(copied)

    def download(self, target: Bytes, address: int) -> None:
        copied = driver.cuMemcpyDtoHAsync(target.ctypes.data, address, target.nbytes, self._stream)
        _did(copied)

    def clear(self, address: int, nbytes: int, byte: int = 0) -> None:
        _did(driver.cuMemsetD8Async(address, byte, nbytes, self._stream))

    def kernels(self, cubin: bytes, names: tuple[str, ...]) -> dict[str, Kernel]:
        module = _did(driver.cuModuleLoadData(cubin))
        self._modules.append(module)
        return {
            name: partial(self._launch, _did(driver.cuModuleGetFunction(module, name.encode())))
            for name in names
        }

    def _launch(self, function: Any, arguments: Bytes, threads: int) -> None:
        parameters = np.array([arguments.ctypes.data], np.uint64)  # one struct, by value
        blocks = -(-threads // THREADS)
        size = (blocks, 1, 1, THREADS, 1, 1)
        launched = driver.cuLaunchKernel(
            function, *size, 0, self._stream, int(parameters.ctypes.data), 0
        )
        _did(launched)

    def mark(self) -> Moment:
        event = _did(driver.cuEventCreate(driver.CUevent_flags.CU_EVENT_DEFAULT))
        moment = _Event(event)
        _did(driver.cuEventRecord(event, self._stream))
        return moment

    def milliseconds(self, first: Moment, second: Moment) -> float:
        assert isinstance(first, _Event)
        assert isinstance(second, _Event)
        return float(_did(driver.cuEventElapsedTime(first.event, second.event)))

    def recording(self) -> Recording | None:
        return _Recording(self._stream, self._graphs)

    def synchronize(self) -> None:
        _did(driver.cuStreamSynchronize(self._stream))

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        for graph in self._graphs:
            driver.cuGraphExecDestroy(graph)
        for memory in self._memory:
            driver.cuMemFree(memory)
        for host in self._host:
            driver.cuMemFreeHost(host)
        for module in self._modules:
            driver.cuModuleUnload(module)
        if self._stream is not None:
            driver.cuStreamDestroy(self._stream)
        # freeing fails when the GPU is lost; the context is left in any case
        left = driver.cuCtxPopCurrent()
        released = driver.cuDevicePrimaryCtxRelease(self._device)
        _did(left)
        _did(released)


class _Event:
    def __init__(self, event: Any) -> None:
        self.event = event

    def __del__(self) -> None:
        driver.cuEventDestroy(self.event)

    @property
    def reached(self) -> bool:
        (status,) = driver.cuEventQuery(self.event)
        if status == driver.CUresult.CUDA_ERROR_NOT_READY:
            return False
        _did((status,))
        return True

    def wait(self) -> None:
        _did(driver.cuEventSynchronize(self.event))


class _Recording:
    def __init__(self, stream: Any, graphs: list[Any]) -> None:
        self._stream = stream
        self._graphs = graphs

    def begin(self) -> None:
        only_this_thread = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        _did(driver.cuStreamBeginCapture(self._stream, only_this_thread))

    def end(self) -> Captured:
        graph = _did(driver.cuStreamEndCapture(self._stream))
        try:
            made = _did(driver.cuGraphInstantiate(graph, 0))
        finally:
            driver.cuGraphDestroy(graph)
        self._graphs.append(made)
        return _Graph(made, self._stream)


class _Graph:
    def __init__(self, graph: Any, stream: Any) -> None:
        self._graph = graph
        self._stream = stream

    def launch(self) -> None:
        _did(driver.cuGraphLaunch(self._graph, self._stream))


def _initialise() -> None:
    try:
        _did(driver.cuInit(0))
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(
            "the NVIDIA driver is missing (no libcuda.so.1); type: voxgate doctor"
        ) from error
    bindings, driven = version("cuda-bindings"), int(_did(driver.cuDriverGetVersion())) // 1000
    if driven < int(bindings.split(".")[0]):
        raise LibraryTooNew(
            f"cuda-bindings {bindings} is newer than this driver's CUDA {driven}; "
            f"type: pip install 'cuda-bindings<{driven + 1}', or take pycuda"
        )


def _enter(device: Any) -> None:
    """The primary context, current in this thread; none but that may have been."""
    before = int(_did(driver.cuCtxGetCurrent()))
    context = _did(driver.cuDevicePrimaryCtxRetain(device))
    if before and before != int(context):
        _did(driver.cuDevicePrimaryCtxRelease(device))
        raise EngineError(FOREIGN_CONTEXT)
    _did(driver.cuCtxPushCurrent(context))


def _info(device: Any) -> DeviceInfo:
    def attribute(name: str) -> int:
        key = getattr(driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(_did(driver.cuDeviceGetAttribute(key, device)))

    driven = int(_did(driver.cuDriverGetVersion()))
    name = _did(driver.cuDeviceGetName(_NAME_BYTES, device))
    return DeviceInfo(
        name=name.split(b"\0")[0].decode(),
        sm=10 * attribute("COMPUTE_CAPABILITY_MAJOR") + attribute("COMPUTE_CAPABILITY_MINOR"),
        multiprocessors=attribute("MULTIPROCESSOR_COUNT"),
        memory_mb=int(_did(driver.cuDeviceTotalMem(device))) >> 20,
        integrated=bool(attribute("INTEGRATED")),
        driver=f"{driven // 1000}.{driven % 1000 // 10}",
    )


def _array(host: int, nbytes: int) -> Bytes:
    return np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(host))


def _did(result: tuple[Any, ...]) -> Any:
    """What a call gave, without its status. Raises EngineError with the driver's words."""
    status, *values = result
    if status != driver.CUresult.CUDA_SUCCESS:
        name = driver.cuGetErrorName(status)[1]
        words = driver.cuGetErrorString(status)[1]
        raise cuda_error(" ".join(w.decode() for w in (name, words) if w))
    return values[0] if len(values) == 1 else values
