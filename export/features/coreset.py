"""A small bank that stands for a large one: greedy k-center (PatchCore, algorithm 1).

Row after row, the one farthest from all that were taken is taken. Distances are measured after a
sparse random projection whose width follows from Johnson and Lindenstrauss, as the published code
does (eps 0.9, SiM3D S.6). Memory is bounded by the projected vectors, a fraction of the bank.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from voxgate.export.progress import Progress, silent
from voxgate.runtime.common.crew import Crew

PROJECTION_EPS = 0.9
BLOCK_ROWS = 4096
THREADS = 2
REPORT_EVERY = 64  # rows between two steps of the progress bar

Vectors = npt.NDArray[np.float32]


def coreset(
    vectors: Vectors,
    ratio: float,
    *,
    seed: int = 0,
    on_progress: Progress = silent,
    projection_eps: float | None = PROJECTION_EPS,
) -> npt.NDArray[np.int64]:
    """Numbers (k,) of the rows of `vectors` (n, d) to keep, k = ratio * n, at least one.

    projection_eps None: no projection. The same seed takes the same rows. Raises ValueError for a
    ratio outside (0, 1].
    """
    if not 0 < ratio <= 1:
        raise ValueError(f"the coreset's share is in (0, 1], got {ratio}")
    count = max(1, int(len(vectors) * ratio))
    rng = np.random.default_rng(seed)
    points = vectors if projection_eps is None else projected(vectors, projection_eps, rng)
    return farthest_first(points, count, int(rng.integers(len(vectors))), on_progress)


def farthest_first(
    points: Vectors, count: int, first: int, on_progress: Progress = silent
) -> npt.NDArray[np.int64]:
    """Take row `first`, then `count - 1` times the row farthest from all taken ones."""
    points = np.ascontiguousarray(points, np.float32)
    distance2 = np.full(len(points), np.inf, np.float32)
    taken = np.empty(count, np.int64)
    taken[0] = first
    with Crew(THREADS) as crew:
        for number in range(1, count):
            _take(crew, points, int(taken[number - 1]), distance2)
            taken[number] = int(distance2.argmax())
            if number % REPORT_EVERY == 0:
                on_progress(number, count, "choose the coreset")
    return taken


def _take(crew: Crew, points: Vectors, row: int, distance2: Vectors) -> None:
    """Every row's distance to the taken ones, now that `row` is one of them; in place."""

    def part(index: int) -> None:
        _approach(np.array(crew.span(index, len(points))), points, row, distance2)

    crew.run(part)


def projected(vectors: Vectors, eps: float, rng: np.random.Generator) -> Vectors:
    """(n, k) float32: k as Johnson and Lindenstrauss ask for n rows and eps, if that is less.

    Sparse signs of density 1 / sqrt(d) (Li, Hastie, Church 2006), as scikit-learn's projection.
    """
    rows, features = vectors.shape
    width = least_width(rows, eps)
    if width >= features:
        return vectors
    density = 1.0 / np.sqrt(features)
    signs = rng.choice([-1.0, 1.0], (features, width)) * (rng.random((features, width)) < density)
    matrix = (signs * np.sqrt(1.0 / (density * width))).astype(np.float32)
    out = np.empty((rows, width), np.float32)
    for start in range(0, rows, BLOCK_ROWS):
        out[start : start + BLOCK_ROWS] = vectors[start : start + BLOCK_ROWS] @ matrix
    return out


def least_width(rows: int, eps: float) -> int:
    """Dimensions that keep all distances of `rows` points within a factor 1 +- eps."""
    return int(4.0 * np.log(rows) / (eps**2 / 2.0 - eps**3 / 3.0))


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator, unused-ignore]
def _approach(span, points, row, distance2):  # type: ignore[no-untyped-def]
    """The span's distances to the taken rows, now that `row` is one of them; in place.

    A row is left alone as soon as it is sure to be farther from `row` than from the others.
    """
    width = points.shape[1]
    for p in range(span[0], span[1]):
        limit = distance2[p]
        total = np.float32(0.0)
        for start in range(0, width, 32):
            for c in range(start, min(start + 32, width)):
                apart = points[p, c] - points[row, c]
                total += apart * apart
            if total >= limit:
                break
        if total < limit:
            distance2[p] = total
