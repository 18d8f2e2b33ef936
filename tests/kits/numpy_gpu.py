"""A GPU made of numpy arrays: addresses are real, work waits in the stream until it is asked for.

Deferred work is the point: a staging buffer that is overwritten too early gives wrong scores here,
as it would on hardware. Kernels are the real source, compiled for the host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.kits.host_kernels import host_kernels

Bytes = npt.NDArray[np.uint8]
ALIGNMENT = 256
BLOCK = 256  # threads


class GpuFault(Exception):
    """What a real GPU would have answered with an error."""


@dataclass
class NumpyGpu:
    """Memory, one queue of work per stream, and a list of everything that was asked.

    fail: name of a call -> words; that call fails, once per entry.
    """

    name: str = "Numpy Orin"
    capability: tuple[int, int] = (8, 7)
    multiprocessors: int = 16
    integrated: bool = True
    free_bytes: int = 6 << 30
    memory: dict[int, Bytes] = field(default_factory=dict)
    pinned: dict[int, Bytes] = field(default_factory=dict)
    queues: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fail: dict[str, str] = field(default_factory=dict)
    contexts: dict[int, list[object]] = field(default_factory=dict)  # thread -> stack
    retained: int = 0
    next_handle: int = 0x1000
    seed: int | None = 0  # order of a kernel's threads; None: ascending
    spoil: Callable[[Bytes], None] | None = None  # damages a model's output
    recorded: list[Callable[[], None]] | None = None  # while a graph is recorded

    def call(self, name: str) -> None:
        """Note a call; raises where the test wants it to fail, or without a context."""
        self.calls.append(name)
        if (words := self.fail.pop(name, None)) is not None:
            for queue in self.queues.values():
                queue.clear()  # what was enqueued is lost with the context
            raise GpuFault(words)

    def need_context(self) -> None:
        if not self.contexts.get(threading.get_ident()):
            raise GpuFault("invalid device context")

    def allocate(self, nbytes: int) -> int:
        self.need_context()
        if nbytes <= 0:
            raise GpuFault("invalid argument")
        whole = np.full(nbytes + ALIGNMENT, 0xCD, np.uint8)  # never zero: nobody may rely on it
        shift = -whole.ctypes.data % ALIGNMENT
        array = whole[shift : shift + nbytes]
        self.memory[array.ctypes.data] = array
        return int(array.ctypes.data)

    def at(self, address: int, nbytes: int) -> Bytes:
        """Memory behind an address; raises for what a GPU would call an illegal access."""
        for begin, array in (*self.memory.items(), *self.pinned.items()):
            if begin <= address and address + nbytes <= begin + array.nbytes:
                return array[address - begin : address - begin + nbytes]
        raise GpuFault(f"an illegal memory access was encountered at {address:#x}+{nbytes}")

    def open_stream(self) -> int:
        self.need_context()
        self.next_handle += 0x10
        self.queues[self.next_handle] = []
        return self.next_handle

    def enqueue(self, stream: int, work: Callable[[], None]) -> None:
        self.need_context()
        if stream not in self.queues:
            raise GpuFault("invalid resource handle")
        (self.queues[stream] if self.recorded is None else self.recorded).append(work)

    def drain(self, stream: int) -> None:
        """Do what waits in the stream."""
        self.need_context()
        queue = self.queues[stream]
        while queue:
            queue.pop(0)()

    def launch(self, kernel: str, arguments: Bytes, threads: int) -> None:
        if kernel == "pack_blocks":  # one lane a warp on the host
            threads //= 32
        order = np.arange(-(-threads // BLOCK) * BLOCK, dtype=np.int32).reshape(-1, BLOCK)
        if self.seed is not None:  # blocks run in any order
            np.random.default_rng(self.seed).shuffle(order)
        flat = order.reshape(-1)
        host_kernels().run(kernel, arguments, flat[flat < threads])
