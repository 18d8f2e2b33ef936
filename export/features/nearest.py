"""Distance to the nearest row of a memory bank, inside the graph.

Which rows are nearest is asked of one matrix product per chunk of the bank, |b|^2 - 2 q b; how far
they are, of the differences themselves. The product is taken of values rounded to FP16, with |b|^2
of the rounded rows in columns that FP16 holds exactly: such a product loses nothing on TF32 tensor
cores, which TensorRT uses for FP32 unless told otherwise. Rounding can then only confuse rows that
are almost equally near; the best of several chunks are measured exactly, neighbouring rows being
dealt out to different chunks, so the distance, free of cancellation, is right to float32.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from voxgate.runtime.errors import EngineError

CHUNK_ROWS = 512  # the distances of 3,000 patches to a chunk stay in a CPU's cache (measured)
NORM_PARTS = 3  # FP16 holds 11 bits: three parts hold the 24 of a float32 and more
RESCORED = 6  # chunks whose best row is measured exactly
LEAST_CHUNKS = 16  # so that the best of a small bank too come from different chunks
HALF_MAX = 60_000.0  # largest |b|^2 that FP16 holds, with room for rounding
TINY = 1e-12

Bank = npt.NDArray[np.float32]


class Nearest(nn.Module):
    """Queries (n, d) float32 -> distances (n, 1) to the nearest of the bank's rows (m, d)."""

    bank: torch.Tensor

    def __init__(self, bank: Bank, chunk_rows: int = CHUNK_ROWS) -> None:
        super().__init__()
        if bank.ndim != 2 or not len(bank) or not np.isfinite(bank).all():
            raise EngineError(f"a bank is (rows, features) of finite numbers, got {bank.shape}")
        mean = bank.mean(axis=0, dtype=np.float64)
        centred = (bank - mean).astype(np.float32)
        self.scale = _scale(centred)
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("bank", torch.from_numpy(np.ascontiguousarray(bank)))
        self.chunks = min(len(bank), max(LEAST_CHUNKS, -(-len(bank) // chunk_rows)))
        for number in range(self.chunks):
            rows = centred[number :: self.chunks] * np.float32(self.scale)
            self.register_buffer(f"chunk_{number}", torch.from_numpy(_columns(rows)))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        return self.distance(queries, self.index(queries))

    def index(self, queries: torch.Tensor) -> torch.Tensor:
        """(n,) int64 number of the nearest row."""
        rows = self._candidates(queries, 1)
        if rows.shape[1] == 1:
            return rows.reshape(-1)
        near = self._distance2(queries, rows).argmin(dim=1, keepdim=True)
        return rows.gather(1, near).reshape(-1)

    def few(self, queries: torch.Tensor, count: int) -> torch.Tensor:
        """(n, count) squared distances to the nearest rows, the least first."""
        distance2 = self._distance2(queries, self._candidates(queries, count))
        return distance2.topk(count, largest=False).values

    def _candidates(self, queries: torch.Tensor, count: int) -> torch.Tensor:
        """(n, k) numbers of rows among which the `count` nearest are, k at least `count`."""
        scaled = ((queries - self.mean) * self.scale).half().float()
        ones = torch.ones(queries.shape[0], NORM_PARTS)
        extended = torch.cat([scaled, ones], dim=1)
        values, rows = [], []
        for number in range(self.chunks):
            relative = torch.matmul(extended, getattr(self, f"chunk_{number}"))
            value, row = _least(relative, count)
            values.append(value)
            rows.append(row * self.chunks + number)
        found = torch.cat(values, dim=1)
        kept = min(max(RESCORED, 2 * count), found.shape[1])
        few = found.topk(kept, largest=False).indices
        return torch.cat(rows, dim=1).gather(1, few)

    def _distance2(self, queries: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """(n, k) exact, of each query to rows (n, k) of its own."""
        return (queries[:, None] - self.bank[rows]).square().sum(dim=2)

    def distance(self, queries: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """(n, 1) Euclidean distance of each query to the row of its number."""
        return (queries - self.bank[rows]).square().sum(dim=1, keepdim=True).sqrt()


class Reweight(nn.Module):
    """The weight of a picture's score by its neighbourhood in the bank (PatchCore, equation 7).

    For the patch that is farthest from the bank, at distance s from its nearest row: 1 - e^s over
    the sum of e^d, d its distances to the rows nearest to that row; all over the root of the number
    of features, lest the exponential explode. The equation does not say whether that row is one of
    its own neighbours: as in BTF's public code, on which SiM3D builds, `neighbours` counts it and
    the sum leaves it out (anomalib sums it too, and takes no root). One number.
    """

    table: torch.Tensor

    def __init__(self, nearest: Nearest, neighbours: int) -> None:
        super().__init__()
        self.nearest = [nearest]  # its own child elsewhere: a list keeps it from being one here too
        bank = nearest.bank.numpy()
        self.softness = float(np.sqrt(bank.shape[1]))
        table = nearest_rows(bank, neighbours)[:, 1:]
        self.register_buffer("table", torch.from_numpy(np.ascontiguousarray(table)))

    def forward(
        self, queries: torch.Tensor, rows: torch.Tensor, distances: torch.Tensor
    ) -> torch.Tensor:
        farthest = distances.argmax(dim=0)
        patch, row = queries[farthest], rows[farthest]
        support = self.nearest[0].bank[self.table[row].reshape(-1)]
        around = (patch - support).square().sum(dim=1).sqrt()
        farther = (around - distances[farthest].reshape(-1)) / self.softness
        return 1.0 - 1.0 / farther.exp().sum()


def _least(relative: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and columns of the least of each row, at most `count`."""
    if count == 1:
        column = relative.argmin(dim=1, keepdim=True)
        return relative.gather(1, column), column
    found = relative.topk(min(count, relative.shape[1]), largest=False)
    return found.values, found.indices


def nearest_rows(bank: Bank, neighbours: int, block_rows: int = 1024) -> npt.NDArray[np.int64]:
    """(m, k) numbers of the k rows nearest to each row, itself first; in blocks of bounded size."""
    count = min(neighbours, len(bank))
    norms = (bank.astype(np.float64) ** 2).sum(axis=1)
    table = np.empty((len(bank), count), np.int64)
    for start in range(0, len(bank), block_rows):
        own = np.arange(start, min(start + block_rows, len(bank)))
        d2 = norms - 2.0 * (bank[own].astype(np.float64) @ bank.T.astype(np.float64))
        d2[np.arange(len(own)), own] = -np.inf
        few = np.argpartition(d2, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(d2, few, axis=1), axis=1, kind="stable")
        table[own] = np.take_along_axis(few, order, axis=1)
    return table


def _scale(centred: Bank) -> float:
    """Brings |b|^2 and every value into FP16's range; a power of two, so that nothing is lost."""
    largest = float((centred.astype(np.float64) ** 2).sum(axis=1).max())
    return float(2.0 ** np.floor(0.5 * np.log2(HALF_MAX / max(largest, TINY))))


def _columns(rows: Bank) -> npt.NDArray[np.float32]:
    """(d + NORM_PARTS, m): -2 b of the rounded rows, then |b|^2 in parts exact in FP16."""
    rounded = rows.astype(np.float16).astype(np.float64)
    rest = (rounded**2).sum(axis=1)
    parts = []
    for _ in range(NORM_PARTS):
        parts.append(rest.astype(np.float16).astype(np.float64))
        rest = rest - parts[-1]
    return np.vstack([-2.0 * rounded.T, *parts]).astype(np.float32)
