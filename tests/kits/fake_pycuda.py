"""pycuda.driver over a GPU of numpy: only names that the real pycuda has, failing as it does."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.numpy_gpu import GpuFault, NumpyGpu

NAMES = json.loads((Path(__file__).parent / "facts" / "pycuda_names.json").read_text("utf-8"))


class Error(Exception):
    """pycuda's base of all errors."""


class LogicError(Error):
    """What its calls raise."""


def install(monkeypatch: pytest.MonkeyPatch, gpu: NumpyGpu) -> ModuleType:
    """`import pycuda.driver` gives this GPU; cuda-python is not there."""
    driver = make_driver(gpu)
    package = ModuleType("pycuda")
    package.__dict__.update(VERSION_TEXT="2026.1", driver=driver, __path__=[])
    monkeypatch.setitem(__import__("sys").modules, "pycuda", package)
    monkeypatch.setitem(__import__("sys").modules, "pycuda.driver", driver)
    monkeypatch.setitem(__import__("sys").modules, "cuda.bindings", None)
    monkeypatch.delitem(__import__("sys").modules, "voxgate.runtime.gpu.with_pycuda", raising=False)
    return driver


def make_driver(gpu: NumpyGpu) -> ModuleType:
    """The module; a name that the real one lacks is refused here."""

    def guarded(name: str) -> None:
        try:
            gpu.call(name)
        except GpuFault as fault:
            raise LogicError(f"{name} failed: {fault}") from fault

    def sane(name: str, work: Any) -> Any:
        guarded(name)
        try:
            return work()
        except GpuFault as fault:
            raise LogicError(f"{name} failed: {fault}") from fault

    class Context:
        def __init__(self) -> None:
            self.valid = True

        def push(self) -> None:
            sane("Context.push", lambda: _stack(gpu).append(self))

        @staticmethod
        def pop() -> None:
            sane("Context.pop", lambda: _pop(gpu))

        @staticmethod
        def get_current() -> Any:
            stack = _stack(gpu)
            return stack[-1] if stack else None

        def detach(self) -> None:
            guarded("Context.detach")
            assert self.valid
            self.valid = False
            gpu.retained -= 1

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Context)

        def __hash__(self) -> int:
            return 1

    class Device:
        def __init__(self, ordinal: int) -> None:
            guarded("Device")

        @staticmethod
        def count() -> int:
            return 1

        def name(self) -> str:
            return gpu.name

        def compute_capability(self) -> tuple[int, int]:
            return gpu.capability

        def total_memory(self) -> int:
            return 8 << 30

        def get_attribute(self, attribute: str) -> int:
            return {"MULTIPROCESSOR_COUNT": gpu.multiprocessors, "INTEGRATED": gpu.integrated}[
                attribute
            ]

        def retain_primary_context(self) -> Context:
            guarded("retain_primary_context")
            gpu.retained += 1
            return Context()

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            assert flags == 1, "the default flags are in step with the legacy default stream"
            self.handle = sane("Stream", gpu.open_stream)

        def synchronize(self) -> None:
            sane("Stream.synchronize", lambda: gpu.drain(self.handle))

    class Event:
        def __init__(self, flags: int = 0) -> None:
            self.done = False
            self.stream = 0

        def record(self, stream: Stream) -> None:
            self.stream = stream.handle
            gpu.enqueue(stream.handle, self._reach)

        def _reach(self) -> None:
            self.done = True

        def query(self) -> bool:
            return self.done

        def synchronize(self) -> None:
            guarded("Event.synchronize")
            queue = gpu.queues[self.stream]
            while not self.done and queue:  # an empty queue: it was lost in a failure
                queue.pop(0)()

        def time_since(self, event: Event) -> float:
            return 1.0

    class DeviceAllocation:
        def __init__(self, nbytes: int) -> None:
            self.address: int | None = gpu.allocate(nbytes)

        def __int__(self) -> int:
            assert self.address is not None
            return self.address

        def free(self) -> None:
            guarded("DeviceAllocation.free")
            gpu.need_context()
            del gpu.memory[int(self)]
            self.address = None

    class PagelockedHostAllocation:
        def __init__(self, array: npt.NDArray[np.uint8]) -> None:
            self.address = array.ctypes.data

        def get_device_pointer(self) -> int:
            return int(self.address)

        def free(self) -> None:
            gpu.need_context()
            del gpu.pinned[self.address]

    class Pinned(np.ndarray[Any, Any]):
        """An array whose base is the allocation, as pycuda gives it."""

        memory: PagelockedHostAllocation

        @property
        def base(self) -> Any:
            return self.memory

    class Function:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(
            self, arguments: Any, grid: tuple[int, int], block: tuple[int, int, int], stream: Stream
        ) -> None:
            assert isinstance(arguments, np.void), "a struct goes by value"
            kept = np.frombuffer(arguments.tobytes(), np.uint8).copy()
            threads = grid[0] * block[0]
            guarded(self.name)
            gpu.enqueue(stream.handle, lambda: gpu.launch(self.name, kept, threads))

    class Module:
        def get_function(self, name: str) -> Function:
            return Function(name)

    def pagelocked_empty(shape: int, dtype: type, order: str = "C", mem_flags: int = 0) -> Any:
        assert mem_flags == 2, "the GPU writes the finished volume here: DEVICEMAP"
        guarded("pagelocked_empty")
        gpu.need_context()
        whole = np.full(shape + 256, 0xAB, np.uint8)
        shift = -whole.ctypes.data % 256
        plain = whole[shift : shift + shape]
        gpu.pinned[plain.ctypes.data] = plain
        array = plain.view(Pinned)
        array.memory = PagelockedHostAllocation(plain)
        return array

    def memcpy_htod_async(dest: int, src: Any, stream: Stream) -> None:
        guarded("memcpy_htod_async")
        gpu.at(src.ctypes.data, src.nbytes)  # pageable memory is copied at once, not on time
        gpu.enqueue(stream.handle, lambda: np.copyto(gpu.at(dest, src.nbytes), src))

    def memcpy_dtoh_async(dest: Any, src: int, stream: Stream) -> None:
        guarded("memcpy_dtoh_async")
        gpu.at(dest.ctypes.data, dest.nbytes)
        gpu.enqueue(stream.handle, lambda: np.copyto(dest, gpu.at(src, dest.nbytes)))

    def memset_d8_async(dest: int, data: int, size: int, stream: Stream) -> None:
        guarded("memset_d8_async")
        gpu.enqueue(stream.handle, lambda: gpu.at(dest, size).fill(data))

    def module_from_buffer(buffer: bytes) -> Module:
        guarded("module_from_buffer")
        return Module()

    made = ModuleType("pycuda.driver")
    found = {
        "init": lambda: guarded("init"),
        "Device": Device,
        "Context": Context,
        "Stream": Stream,
        "Event": Event,
        "Error": Error,
        "LogicError": LogicError,
        "mem_get_info": lambda: sane("mem_get_info", lambda: (gpu.free_bytes, 8 << 30)),
        "mem_alloc": lambda nbytes: sane("mem_alloc", lambda: DeviceAllocation(nbytes)),
        "pagelocked_empty": pagelocked_empty,
        "memcpy_htod_async": memcpy_htod_async,
        "memcpy_dtoh_async": memcpy_dtoh_async,
        "memset_d8_async": memset_d8_async,
        "module_from_buffer": module_from_buffer,
        "get_driver_version": lambda: 12060,
        "host_alloc_flags": SimpleNamespace(DEVICEMAP=2, PORTABLE=1, WRITECOMBINED=4),
        "device_attribute": SimpleNamespace(
            MULTIPROCESSOR_COUNT="MULTIPROCESSOR_COUNT", INTEGRATED="INTEGRATED"
        ),
    }
    unreal = set(found) - set(NAMES["module"])
    assert not unreal, f"the real pycuda has no {unreal}"
    made.__dict__.update(found)
    return made


def _stack(gpu: NumpyGpu) -> list[object]:
    return gpu.contexts.setdefault(threading.get_ident(), [])


def _pop(gpu: NumpyGpu) -> None:
    gpu.need_context()
    _stack(gpu).pop()
