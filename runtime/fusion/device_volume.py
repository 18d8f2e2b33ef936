"""The anomaly volume in the GPU's memory, in blocks as runtime/volume/volume.py has them.

It holds 16 bytes a voxel: score, hits, and a bit for every view that saw it at the threshold. The
finished volume comes to the host block by block, occupied ones only, in one go.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.gpu.device import Device, Kernel, Pinned
from voxgate.runtime.gpu.launch import COUNTS, LANES, LAUNCH, PEAK
from voxgate.runtime.gpu.pinned_ring import aligned
from voxgate.runtime.volume.grid import BLOCK_CELLS, GridSpec
from voxgate.runtime.volume.lift_kernels import find_slots
from voxgate.runtime.volume.volume import Volume

PACKED_BLOCKS = 32_768  # 29 MB; a part of 2 million voxels of surface. More is fetched in two goes
_CELL_BYTES = {"score": 4, "hits": 4, "seen_by": 8}
_PACKED = {
    "packed_count": (np.int32, 1),
    "packed_block": (np.int32, None),
    "packed_score": (np.float32, BLOCK_CELLS),
    "packed_hits": (np.uint16, BLOCK_CELLS),
    "packed_seen_by": (np.uint64, BLOCK_CELLS),
}
NO_PEAK = np.int32(-(2**31))


class DeviceVolume:
    """Memory for a volume like `like`; kernels write, `collect` brings it home.

    rows: launches per part, each with its row of counts.
    """

    def __init__(self, device: Device, like: Volume, rows: int) -> None:
        self._device = device
        self._grid = like.grid
        self._sparse = like.sparse
        self._capacity = like.score.size // BLOCK_CELLS
        self._address = {
            name: device.allocate(self._capacity * BLOCK_CELLS * size)
            for name, size in _CELL_BYTES.items()
        }
        self._address["counts"] = device.allocate(rows * COUNTS * 4)
        self._entries = len(like.table) if like.sparse else 0
        if like.sparse:
            self._address["keys"] = device.allocate(4 * self._entries)
            self._address["slot_of"] = device.allocate(4 * self._entries)
            self._address["block_of_slot"] = device.allocate(4 * self._capacity)
            self._address["used"] = device.allocate(4)
        self._counts = device.pinned(rows * COUNTS * 4)
        self._used = device.pinned(4)
        self._fresh_counts = device.pinned(rows * COUNTS * 4)
        fresh = self._fresh_counts.array.view(np.int32).reshape(rows, COUNTS)
        fresh[:] = 0
        fresh[:, PEAK] = NO_PEAK
        self._packed = _Packed(device, min(self._capacity, PACKED_BLOCKS))
        self._dirty = self._capacity  # slots that may hold something, known after `collect`
        table = (like.table_z_mm - like.grid.origin_mm[2]) / like.grid.voxel_mm
        self._table = np.float32(table)

    @staticmethod
    def bytes_of(like: Volume) -> int:
        """What the cells of such a volume take; all else is small beside them."""
        return like.score.size * sum(_CELL_BYTES.values())

    def clear(self) -> None:
        """Enqueue forgetting everything."""
        for name, size in _CELL_BYTES.items():
            self._device.clear(self._address[name], max(1, self._dirty) * BLOCK_CELLS * size)
        self._dirty = self._capacity  # a part that is given up is never counted
        self._device.upload(self._address["counts"], self._fresh_counts.array)
        if self._sparse:
            self._device.clear(self._address["keys"], 4 * self._entries)
            self._device.clear(self._address["used"], 4)

    def launch(self, row: int) -> npt.NDArray[np.void]:
        """A fresh argument struct, (1,) of LAUNCH, that counts into `row`."""
        record = np.zeros(1, LAUNCH)
        for name, address in self._address.items():
            record[name] = address
        record["counts"] = self._address["counts"] + row * COUNTS * 4
        record["mask"] = self._entries - 1
        record["capacity"] = self._capacity
        record["shape"] = self._grid.shape
        record["blocks"] = self._grid.blocks[1:]
        record["table"] = self._table
        return record

    @property
    def sparse(self) -> bool:
        """Whether blocks must be claimed before they are written."""
        return self._sparse

    @property
    def grid(self) -> GridSpec:
        """Where it lies."""
        return self._grid

    def collect(self, volume: Volume, pack: Kernel) -> npt.NDArray[np.int32]:
        """Wait for the stream, then put everything into the empty `volume`.

        Returns the counts, (rows, COUNTS). Raises EngineError when anything enqueued failed.
        """
        self._fetch(pack)
        while (count := self._packed.count) > self._packed.blocks:
            self._packed = _Packed(self._device, min(self._capacity, 2 * count))
            self._fetch(pack)
        self._packed.put_into(volume)
        if self._sparse:
            asked = int(self._used.array.view(np.int32)[0])
            self._dirty = min(asked, self._capacity)
        rows: npt.NDArray[np.int32] = self._counts.array.view(np.int32).reshape(-1, COUNTS).copy()
        return rows

    def _fetch(self, pack: Kernel) -> None:
        record = self.launch(0)
        self._packed.name_in(record)
        pack(record.view(np.uint8), self._capacity * LANES)
        self._device.download(self._counts.array, self._address["counts"])
        if self._sparse:
            self._device.download(self._used.array, self._address["used"])
        self._device.synchronize()


class _Packed:
    """Occupied blocks in host memory that the kernel writes directly, each byte once."""

    def __init__(self, device: Device, blocks: int) -> None:
        self.blocks = blocks
        self._pinned: dict[str, Pinned] = {}
        self._arrays: dict[str, npt.NDArray[np.generic]] = {}
        for name, (dtype, cells) in _PACKED.items():
            shape = (1,) if name == "packed_count" else (blocks, *([cells] if cells else []))
            nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
            self._pinned[name] = device.pinned(aligned(nbytes))
            self._arrays[name] = self._pinned[name].array[:nbytes].view(dtype).reshape(shape)

    @property
    def count(self) -> int:
        """Blocks that the kernel found; more than `blocks` did not fit."""
        return int(self._arrays["packed_count"][0])

    def name_in(self, record: npt.NDArray[np.void]) -> None:
        """Write the addresses into a launch, and start at nothing."""
        self._arrays["packed_count"][0] = 0
        for name, pinned in self._pinned.items():
            record[name] = pinned.address
        record["pack_capacity"] = self.blocks

    def put_into(self, volume: Volume) -> None:
        """In the order of the blocks, so that nothing depends on the order of threads."""
        blocks = self._arrays["packed_block"][: self.count].astype(np.int32)
        order = np.argsort(blocks)
        slots = _slots(volume, blocks[order])
        kept = slots >= 0
        slots, order = slots[kept], order[kept]
        volume.score.reshape(-1, BLOCK_CELLS)[slots] = self._arrays["packed_score"][order]
        volume.hits.reshape(-1, BLOCK_CELLS)[slots] = self._arrays["packed_hits"][order]
        _support(volume, slots, self._arrays["packed_seen_by"][order].astype(np.uint64))


def _slots(volume: Volume, blocks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    if not volume.sparse:
        return blocks
    numbers = blocks << 6
    find_slots(numbers, volume.table, volume.block_of_slot, volume.used)
    slots: npt.NDArray[np.int32] = numbers >> 6
    return slots


def _support(volume: Volume, slots: npt.NDArray[np.int32], seen_by: npt.NDArray[np.uint64]) -> None:
    """Which views saw which voxels at the threshold."""
    row, cell = np.nonzero(seen_by)
    ids = (slots[row] * BLOCK_CELLS + cell).astype(np.int32)
    masks = seen_by[row, cell]
    views = np.bitwise_or.reduce(masks, initial=np.uint64(0))
    for view in range(64):
        bit = np.uint64(1 << view)
        if views & bit:
            volume.supports[view] = [ids[(masks & bit) != 0]]
