"""Frames between two processes through fixed slots of shared memory, never overwritten unread.

The memory is an anonymous file (memfd) that the parent makes and a worker inherits: it has no name
in /dev/shm, so nothing can be left there, not even when both are killed, and no resource tracker
has an opinion about it. A slot has one owner at a time. Ownership travels in messages
(link.py): the worker names a filled slot, the parent gives it back. A socket between
two processes orders memory on every processor; two indices in shared memory would not on ARM.
The sequence number in the slot is checked before and after the copy: a broken worker is seen.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.runtime.nouns import Device, Frame

Pixel = TypeVar("Pixel", bound=np.generic)

# sequence, frame_id, t_device_ns, t_arrival_ns, exposure_ns, has_depth
_HEADER = struct.Struct("<6q")
_HEADER_BYTES = 64  # one cache line: slots and their parts start aligned
_UNFINISHED = -1
STRIP_BYTES = 1 << 20
_PAGE_BYTES = mmap.PAGESIZE
# <linux/fcntl.h>: Python names them too, the type stubs do not for every version
_F_ADD_SEALS, _F_SEAL_SEAL, _F_SEAL_SHRINK, _F_SEAL_GROW = 1033, 1, 2, 4


class RingError(Exception):
    """A slot does not hold what its message promised: the worker is broken or wrote out of turn."""


@dataclass(frozen=True, slots=True)
class RingShape:
    """How many frames of which size fit; depth slots exist only where depth is delivered, and room
    for three channels only where pictures are in colour."""

    slots: int
    width_px: int
    height_px: int
    depth: bool
    colour: bool = False

    @property
    def picture_shape(self) -> tuple[int, ...]:
        size = self.height_px, self.width_px
        return (*size, 3) if self.colour else size

    @property
    def image_bytes(self) -> int:
        return _aligned(math.prod(self.picture_shape), _HEADER_BYTES)

    @property
    def slot_bytes(self) -> int:
        depth_bytes = 4 * self.width_px * self.height_px if self.depth else 0
        return _aligned(_HEADER_BYTES + self.image_bytes + depth_bytes, _PAGE_BYTES)

    @property
    def total_bytes(self) -> int:
        return _PAGE_BYTES + self.slots * self.slot_bytes


def ring_file(shape: RingShape, name: str) -> int:
    """A new anonymous shared file of the ring's size, closed on exec unless it is passed on.

    The size is sealed: a worker that went wrong cannot shrink it under the parent (SIGBUS).
    """
    fd = os.memfd_create(f"voxgate-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, shape.total_bytes)
    fcntl.fcntl(fd, _F_ADD_SEALS, _F_SEAL_SEAL | _F_SEAL_SHRINK | _F_SEAL_GROW)
    return fd


class Ring:
    """The mapped slots; the same class on both sides, each keeping to its own methods."""

    def __init__(self, fd: int, shape: RingShape) -> None:
        self.shape = shape
        self._map = mmap.mmap(fd, shape.total_bytes)
        self._bytes: npt.NDArray[np.uint8] = np.frombuffer(self._map, dtype=np.uint8)
        # one aligned store and one load; struct.pack_into would show a 0 in between
        self._beat = self._bytes[:8].view(np.int64)
        self._blank: npt.NDArray[np.uint8] | None = None

    def close(self) -> None:
        """Unmap; copies that `read` handed out live on."""
        self._bytes = np.empty(0, dtype=np.uint8)
        self._beat = np.zeros(1, dtype=np.int64)
        self._map.close()

    def beat(self, now_ns: int) -> None:
        """Worker: the loop is alive at `now_ns` (host monotonic)."""
        self._beat[0] = now_ns

    @property
    def last_beat_ns(self) -> int:
        """Parent: when the worker's loop last came round, host monotonic; 0 before the first."""
        return int(self._beat[0])

    def write(self, slot: int, sequence: int, frame: Frame) -> None:
        """Worker: copy `frame` into a slot it owns. Raises RingError when it does not fit."""
        if frame.image.shape != self.shape.picture_shape:
            raise RingError(
                f"the ring holds {self.shape.picture_shape}, got an image of {frame.image.shape}"
            )
        start = self._start(slot)
        self._pack(start, _UNFINISHED, frame)
        self._image(start)[:] = frame.image
        if frame.depth_mm is not None and self.shape.depth:
            self._depth(start)[:] = frame.depth_mm
        self._pack(start, sequence, frame)

    def read(
        self,
        slot: int,
        sequence: int,
        camera: str,
        device: Device = Device.CAMERA,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Frame:
        """Parent: a copy of the frame in `slot`.

        meanwhile: called again and again, for 12 Mpx take some 20 ms where memory is fresh.
        Raises RingError when the slot is not, or is no longer, the frame of that sequence number.
        """
        start = self._start(slot)
        found, frame_id, t_device_ns, t_arrival_ns, exposure_ns, has_depth = self._header(start)
        frame = Frame(
            camera=camera,
            frame_id=frame_id,
            t_device_ns=t_device_ns,
            t_arrival_ns=t_arrival_ns,
            exposure_ns=max(exposure_ns, 0),
            image=self._picture(start, device, meanwhile),
            depth_mm=_copied(self._depth(start), meanwhile)
            if has_depth and self.shape.depth
            else None,
            device=device,
        )
        after = self._header(start)[0]
        if not (found == after == sequence != _UNFINISHED):
            raise RingError(
                f"slot {slot} holds frame {found}, then {after}, expected {sequence} both times"
            )
        return frame

    def _picture(
        self, start: int, device: Device, meanwhile: Callable[[], None]
    ) -> npt.NDArray[np.uint8]:
        """A copy; of a sensor that took none, one blank picture for all its frames."""
        shown = self._image(start)
        if device is not Device.SENSOR or shown.any():
            return _copied(shown, meanwhile)
        if self._blank is None:
            self._blank = np.zeros(shown.shape, np.uint8)
            self._blank.flags.writeable = False
        return self._blank

    @property
    def _size(self) -> tuple[int, int]:
        return self.shape.height_px, self.shape.width_px

    def _start(self, slot: int) -> int:
        if not 0 <= slot < self.shape.slots:
            raise RingError(f"the ring has slots 0 to {self.shape.slots - 1}, got {slot}")
        return _PAGE_BYTES + slot * self.shape.slot_bytes

    def _pack(self, start: int, sequence: int, frame: Frame) -> None:
        _HEADER.pack_into(
            self._map,
            start,
            sequence,
            frame.frame_id,
            frame.t_device_ns,
            frame.t_arrival_ns,
            frame.exposure_ns,
            int(frame.depth_mm is not None),
        )

    def _header(self, start: int) -> tuple[int, ...]:
        return _HEADER.unpack_from(self._map, start)

    def _image(self, start: int) -> npt.NDArray[np.uint8]:
        begin = start + _HEADER_BYTES
        shape = self.shape.picture_shape
        return self._bytes[begin : begin + math.prod(shape)].reshape(shape)

    def _depth(self, start: int) -> npt.NDArray[np.float32]:
        begin = start + _HEADER_BYTES + self.shape.image_bytes
        size = 4 * self.shape.width_px * self.shape.height_px
        return self._bytes[begin : begin + size].view(np.float32).reshape(self._size)


class SlotLedger:
    """Which slots are free to fill: the worker's side of the ownership."""

    def __init__(self, slots: int) -> None:
        self._free = list(reversed(range(slots)))
        self._out: set[int] = set()

    def take(self) -> int | None:
        """The free slot that was used last, or None when every frame is still unread.

        Those that no job needed take no memory then: of 12 Mpx each is 12 MB.
        """
        if not self._free:
            return None
        slot = self._free.pop()
        self._out.add(slot)
        return slot

    def give_back(self, slot: int) -> None:
        """Raises RingError for a slot that was not handed out."""
        if slot not in self._out:
            raise RingError(f"slot {slot} was given back but had not been handed out")
        self._out.remove(slot)
        self._free.append(slot)


def _copied(pixels: npt.NDArray[Pixel], meanwhile: Callable[[], None]) -> npt.NDArray[Pixel]:
    """In strips of rows, with time for something else after each."""
    copy = np.empty_like(pixels)
    rows = max(1, STRIP_BYTES // pixels[0].nbytes)
    for first in range(0, len(pixels), rows):
        copy[first : first + rows] = pixels[first : first + rows]
        meanwhile()
    return copy


def _aligned(size: int, step: int) -> int:
    return -(-size // step) * step
