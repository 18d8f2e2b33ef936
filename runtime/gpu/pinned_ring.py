"""Page-locked memory for uploads, handed out in a ring, so that nobody waits for the stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import ALIGNMENT, Bytes, Device, Moment


@dataclass(frozen=True, slots=True, eq=False)
class _Span:
    """Ring bytes [begin, end) that the stream reads until `moment`."""

    begin: int
    end: int
    moment: Moment


class PinnedRing:
    """Copies what is to be uploaded; a place is used again once the stream has passed it.

    waits: how often a caller had to wait because the ring was full.
    """

    def __init__(self, device: Device, nbytes: int) -> None:
        self._device = device
        self._memory = device.pinned(aligned(nbytes))
        self._at = 0
        self._open_from: int | None = None
        self._spans: deque[_Span] = deque()
        self.waits = 0

    @property
    def nbytes(self) -> int:
        """Size of the ring."""
        return int(self._memory.array.nbytes)

    def upload(self, address: int, source: npt.NDArray[np.generic]) -> None:
        """Copy and enqueue; `source` may change at once. Raises EngineError if it never fits."""
        if source.nbytes == 0:
            return
        place = self._take(source.nbytes)
        np.copyto(place.view(source.dtype).reshape(source.shape), source)
        self._device.upload(address, place)

    def mark(self) -> None:
        """What was taken since the last mark is free again when the stream gets here."""
        if self._open_from is not None and self._at > self._open_from:
            self._spans.append(_Span(self._open_from, self._at, self._device.mark()))
        self._open_from = None

    def forget(self) -> None:
        """The stream was synchronised: everything is free, and no event is left."""
        self._spans.clear()
        self._open_from = None
        self._at = 0

    def _take(self, nbytes: int) -> Bytes:
        room = aligned(nbytes)
        if room > self.nbytes:
            raise EngineError(f"{nbytes} bytes do not fit the upload ring of {self.nbytes}")
        if self._at + room > self.nbytes:
            self.mark()
            self._at = 0
        self._free(self._at, self._at + room)
        if self._open_from is None:
            self._open_from = self._at
        place = self._memory.array[self._at : self._at + nbytes]
        self._at += room
        return place

    def _free(self, begin: int, end: int) -> None:
        """Wait for what the stream may still read in [begin, end)."""
        while self._spans and any(s.begin < end and begin < s.end for s in self._spans):
            oldest = self._spans.popleft()
            if not oldest.moment.reached:
                self.waits += 1
                oldest.moment.wait()


def aligned(nbytes: int) -> int:
    """The next multiple of ALIGNMENT."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
