"""Nearest neighbours in the graph against faiss, and the coreset of a golden scan's patches."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from rich.console import Console

from voxgate.export.features.coreset import PROJECTION_EPS, farthest_first, projected
from voxgate.export.features.nearest import Nearest
from voxgate.export.graph.tracing import RAW, trace
from voxgate.export.source import Source
from voxgate.runtime.recipe.manifest import TensorSpec

PATCHES, ROWS, FEATURES = 3025, 15_000, 768
RUNS = 7
THREADS = 2
CORESET_OF = 145_000
CORESET_SHOWN = 1000  # rows that are really chosen; each costs the same, or less
RATIO = 0.1
PROMISED = 1.3
GIB = 2**30

Vectors = npt.NDArray[np.float32]


class _Graph(torch.nn.Module):
    """Queries as a picture of (1, 1, n, d), as a graph's inputs are."""

    def __init__(self, bank: Vectors) -> None:
        super().__init__()
        self.nearest = Nearest(bank)

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        return self.nearest(queries[0, 0])[None, None]


def main() -> None:
    """Measure and print."""
    console = Console()
    rng = np.random.default_rng(0)
    console.print(coreset_time(rng))  # first: what follows would hide its peak of memory
    bank = rng.standard_normal((ROWS, FEATURES), np.float32)
    queries = rng.standard_normal((PATCHES, FEATURES), np.float32)
    ours, theirs, error = compare(bank, queries)
    gflop = 2e-9 * PATCHES * ROWS * FEATURES
    console.print(
        f"{PATCHES} patches, bank {ROWS} x {FEATURES}, {THREADS} threads, medians of {RUNS}: "
        f"graph {ours * 1e3:.0f} ms, faiss {theirs * 1e3:.0f} ms, {ours / theirs:.2f} x "
        f"(promised <= {PROMISED} x); {gflop / ours:.0f} GFLOP/s of the product, bound by flops; "
        f"largest difference {error:.1e} of the distance"
    )


def compare(bank: Vectors, queries: Vectors) -> tuple[float, float, float]:
    """Median seconds of graph and faiss, run by run in turn, and their relative difference."""
    import faiss

    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexFlatL2(FEATURES)
    index.add(bank)
    spec = TensorSpec(name="queries", dtype="float32", shape=(1, 1, *queries.shape))
    graph = trace(Source("knn", (spec,), _Graph(bank), lambda given: queries, {}))
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(graph.SerializeToString(), options)
    given = {"queries": queries[None, None]}
    (ours,) = session.run([RAW], given)
    theirs = np.sqrt(index.search(queries, 1)[0])
    times = [
        (_seconds(lambda: session.run([RAW], given)), _seconds(lambda: index.search(queries, 1)))
        for _ in range(RUNS)
    ]
    error = float(np.abs(ours[0, 0] / theirs - 1).max())
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times), error


def coreset_time(rng: np.random.Generator) -> str:
    """Seconds for 10 % of 145,000 vectors, from a thousand rows of it, and the memory it took."""
    vectors = np.maximum(rng.standard_normal((CORESET_OF, FEATURES), np.float32), 0)
    before = _peak_bytes()
    begun = time.perf_counter()
    points = projected(vectors, PROJECTION_EPS, rng)
    projecting = time.perf_counter() - begun
    farthest_first(points[:100], 3, 0)
    begun = time.perf_counter()
    farthest_first(points, CORESET_SHOWN, 0)
    per_row = (time.perf_counter() - begun) / CORESET_SHOWN
    rows = int(CORESET_OF * RATIO)
    grown = (_peak_bytes() - before) / GIB
    return (
        f"coreset of {CORESET_OF} x {FEATURES}: projected to {points.shape[1]} in "
        f"{projecting:.1f} s, {per_row * 1e3:.1f} ms a row, so {per_row * rows / 60:.1f} min for "
        f"{rows} rows; {grown:.2f} GiB beside the vectors' {vectors.nbytes / GIB:.2f}"
    )


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
