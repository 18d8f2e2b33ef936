"""The anomaly volume: maximum score and hit count per voxel, dense or sparse, the same numbers.

Both kinds store voxels in blocks of 4x4x4. A dense volume holds every block of its grid; a sparse
one holds the blocks a surface touched and finds them by a hash table, so that its memory grows with
the surface. Arrays are made once at their largest size: the operating system hands out a zeroed
page when it is first touched, so what is reserved but unused costs nothing and nothing is
allocated while a part is inspected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.volume.grid import BLOCK, BLOCK_CELLS, GridSpec

# 24 MB at 6 bytes: about the last-level cache of a small CPU, and cleared in 2 ms between parts
DENSE_CELLS = 4_000_000
DEFAULT_MEMORY_MB = 256
SUPPORT_SCORE = 1.0  # scores are scaled so that 1.0 is the threshold
# No return where the golden scan had one is weak evidence: glints and dark spots do that too. It
# shows in the volume, never makes a defect alone, and leaves the place uncovered.
LOST_SCORE = 0.5

_BLOCK_BYTES = (
    BLOCK_CELLS * (4 + 2) + 4 + 2 * 8
)  # scores, hits, block number, hash entry at half load


@dataclass(frozen=True, slots=True, eq=False)
class Voxels:
    """Some voxels of a volume, sorted by i, then j, then k.

    ijk: (n, 3) int32; score: (n,) float32 maximum over all views; hits: (n,) int32 measured points
    that fell in (at most 65535); ids: (n,) int32, the volume's own number of each voxel.
    """

    ijk: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]
    hits: npt.NDArray[np.int32]
    ids: npt.NDArray[np.int32]


class Volume:
    """Scores of one part; `runtime.lift` writes, `segment` and `coverage` read.

    table_z_mm: points of the part frame below it belong to the table and are not stored.
    memory_mb: the most a sparse volume may use; points beyond it are counted as dropped.
    sparse: None chooses by the number of voxels (see DENSE_CELLS).
    """

    def __init__(
        self,
        grid: GridSpec,
        table_z_mm: float = -np.inf,
        memory_mb: int = DEFAULT_MEMORY_MB,
        sparse: bool | None = None,
    ) -> None:
        self.grid = grid
        self.table_z_mm = table_z_mm
        self.sparse = grid.cells > DENSE_CELLS if sparse is None else sparse
        capacity = grid.block_count
        if self.sparse:
            capacity = min(capacity, memory_mb * 2**20 // _BLOCK_BYTES)
        self.score = np.zeros(capacity * BLOCK_CELLS, np.float32)
        self.hits = np.zeros(capacity * BLOCK_CELLS, np.uint16)
        self.block_of_slot = np.zeros(capacity if self.sparse else 0, np.int32)
        self.table = np.zeros((_table_size(capacity) if self.sparse else 1, 2), np.int32)
        self.used = np.zeros(1, np.int64)  # slots in use; an array, so that kernels can advance it
        if not self.sparse:
            self.used[0] = capacity
        self.supports: dict[int, list[npt.NDArray[np.int32]]] = {}

    def clear(self) -> None:
        """Forget everything; once per part."""
        used = int(self.used[0]) * BLOCK_CELLS
        self.score[:used] = 0
        self.hits[:used] = 0
        self.supports.clear()
        if self.sparse:
            self.table[:] = 0
            self.used[0] = 0

    def quiet(self, ids: npt.NDArray[np.int32], score: float) -> None:
        """These voxels, by the volume's own numbers, say at most `score`."""
        self.score[ids] = np.minimum(self.score[ids], np.float32(score))

    @property
    def used_bytes(self) -> int:
        """Bytes of voxels, block numbers and hash table in use."""
        per_block = BLOCK_CELLS * (self.score.itemsize + self.hits.itemsize)
        return int(self.used[0]) * (per_block + 4) + self.table.nbytes

    @property
    def peak(self) -> float | None:
        """The largest score, None while nothing was measured; far cheaper than `occupied`."""
        used = int(self.used[0]) * BLOCK_CELLS
        if not self.hits[:used].any():
            return None
        return float(self.score[:used].max())

    def occupied(self) -> Voxels:
        """Every voxel that a measured point fell into, or that has a score without one."""
        used = int(self.used[0]) * BLOCK_CELLS
        return self._voxels(np.flatnonzero((self.hits[:used] > 0) | (self.score[:used] > 0)))

    def above(self, threshold: float = SUPPORT_SCORE) -> Voxels:
        """Every voxel with a score at or above the threshold; the threshold must be positive."""
        if not threshold > 0:
            raise ValueError(f"the threshold of a volume must be positive, got {threshold}")
        return self._voxels(
            np.flatnonzero(self.score[: int(self.used[0]) * BLOCK_CELLS] >= np.float32(threshold))
        )

    def _voxels(self, ids: npt.NDArray[np.intp]) -> Voxels:
        ijk = self.ijk(ids)
        _, ny, nz = self.grid.shape
        order = np.argsort((ijk[:, 0] * ny + ijk[:, 1]) * nz + ijk[:, 2])
        ids = ids[order]
        return Voxels(
            ijk[order].astype(np.int32),
            self.score[ids],
            self.hits[ids].astype(np.int32),
            ids.astype(np.int32),
        )

    def ijk(self, ids: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        """Voxel indices (n, 3) of the volume's own voxel numbers."""
        slots, cells = ids // BLOCK_CELLS, ids % BLOCK_CELLS
        blocks = self.block_of_slot[slots].astype(np.int64) if self.sparse else slots
        corner = np.stack(np.unravel_index(blocks, self.grid.blocks), axis=-1) * BLOCK
        within = np.stack(np.unravel_index(cells, (BLOCK,) * 3), axis=-1)
        return corner + within


def _table_size(blocks: int) -> int:
    """A power of two at least twice the number of blocks: hash chains stay short."""
    return int(2 ** np.ceil(np.log2(2 * max(blocks, 1))))
