"""A few threads for kernels that release the GIL, and memory they use again and again."""

from __future__ import annotations

import ctypes
import math
import os
import threading
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Result = TypeVar("Result")
Other = TypeVar("Other")
Number = TypeVar("Number", bound=np.generic)

_current_cpu = ctypes.CDLL(None).sched_getcpu


class Crew:
    """Runs the parts of one kernel at the same time; with one thread everything runs inline.

    Owned and called by one thread, which does a share of the work itself. Which thread does which
    part never changes a number: kernels split their output, not their sums.
    """

    def __init__(self, threads: int = 2) -> None:
        if threads < 1:
            raise ValueError(f"a crew has at least 1 thread, got {threads}")
        self.threads = threads
        self._scratch: dict[str, npt.NDArray[np.generic]] = {}
        self._helpers, self._places = None, _Places()
        if threads > 1:
            self._helpers = ThreadPoolExecutor(threads - 1, "crew", self._places.join)

    def run(self, part: Callable[[int], Result]) -> list[Result]:
        """`[part(0), ..., part(threads - 1)]`; part 0 runs in the calling thread."""
        if self._helpers is None:
            return [part(0)]
        self._places.spread()
        others = [self._helpers.submit(part, index) for index in range(1, self.threads)]
        return [part(0), *(other.result() for other in others)]

    def both(
        self, first: Callable[[], Result], second: Callable[[], Other]
    ) -> tuple[Result, Other]:
        """What two different things return, done at the same time if there is a helper; what one of
        them raises waits for the other. The second, which has that helper, may not ask this crew
        for anything: it has `alone`."""
        if self._helpers is None:
            return first(), second()
        self._places.spread()
        other = self._helpers.submit(second)
        try:
            done = first()
        finally:
            wait([other])
        return done, other.result()

    @cached_property
    def alone(self) -> Crew:
        """One for what a helper does beside this crew's owner, with memory of its own."""
        return Crew(1)

    def span(self, index: int, length: int) -> tuple[int, int]:
        """The half-open range of `length` items that part `index` owns."""
        return index * length // self.threads, (index + 1) * length // self.threads

    def scratch(
        self, name: str, shape: tuple[int, ...], dtype: type[Number]
    ) -> npt.NDArray[Number]:
        """An array of unknown content, the same memory whenever `name` is asked for again.

        Fresh memory costs a page fault every 4 kB, a quarter of the time of comparing a view.
        """
        size = math.prod(shape)
        kept = self._scratch.get(name)
        if kept is None or kept.size < size or kept.dtype != dtype:
            kept = np.empty(size, dtype)
            self._scratch[name] = kept
        return kept[:size].reshape(shape)  # type: ignore[return-value]

    def close(self) -> None:
        """End the helper threads; the crew cannot be used again."""
        if self._helpers is not None:
            self._helpers.shutdown(wait=True)

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Places:
    """Which processors the helpers of one thread run on, which alone asks for `spread`.

    A virtual machine's idle processor looks taken to the machine's own scheduler (the host has put
    it aside), which then wakes a helper on the processor of whoever asks it, and moves it
    milliseconds later: two threads take as long as one. So helpers run anywhere but there.
    """

    def __init__(self) -> None:
        self._cpus = os.sched_getaffinity(0)
        self._helpers: list[int] = []
        self._told: tuple[int, int] | None = None  # how many of them, away from which processor

    def join(self) -> None:
        """Called by each helper once."""
        self._helpers.append(threading.get_native_id())

    def spread(self) -> None:
        """Keep the helpers off the processor that the caller runs on, where there is another."""
        here, count = _current_cpu(), len(self._helpers)
        elsewhere = self._cpus - {here}
        if not elsewhere or self._told == (count, here):
            return
        self._told = count, here
        if not all(_bind(helper, elsewhere) for helper in self._helpers[:count]):
            self._cpus = os.sched_getaffinity(0)  # the machine's processors were shared out anew


def _bind(thread: int, cpus: Set[int]) -> bool:
    try:
        os.sched_setaffinity(thread, cpus)
    except OSError:
        return False
    return True
