"""Every threshold at once: scores sorted once, what lies above each distinct one summed on the way.

All curves of this package (ROC, PRO, over pixels, voxels, parts) are this sweep with other weights,
so none of them is a choice of a few hundred thresholds. Up to a small false positive rate only the
highest scores matter: they are selected first, in linear time, and only they are sorted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.sweep_kernels import BINS, count_sound, lower_edge

Floats = npt.NDArray[np.float64]
Ties = Literal["step", "linear"]
"""Between two reachable rates: the lower one's value holds, or a straight line joins them."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """rate (m,) ascending false positive rate, 0..1, and value (m,) reached there.

    threshold (m,): the score at and above which both hold, descending.
    """

    rate: Floats
    value: Floats
    threshold: Floats

    def of_shares(self) -> Curve:
        """The same, of values that are shares of 1: what their sum was rounded up to is 1."""
        return replace(self, value=np.minimum(self.value, 1.0))

    def area(self, limit: float = 1.0, ties: Ties = "step") -> float:
        """Area up to the rate `limit`, over `limit`: in [0, 1] for values in [0, 1].

        The curve must reach the limit, or 1. Raises ValueError for a limit outside (0, 1].
        """
        if not 0 < limit <= 1:
            raise ValueError(f"the integration limit is a rate above 0 and up to 1, got {limit}")
        rate, value = np.append(0.0, self.rate), np.append(0.0, self.value)
        if ties == "step":
            edges = np.minimum(np.append(rate, 1.0), limit)
            return float(np.sum(np.diff(edges) * value) / limit)
        last = int(np.searchsorted(rate, limit))  # the first point at or beyond the limit
        share = (limit - rate[last - 1]) / (rate[last] - rate[last - 1])
        at_limit = value[last - 1] + share * (value[last] - value[last - 1])
        return float(
            np.trapezoid(np.append(value[:last], at_limit), np.append(rate[:last], limit)) / limit
        )


def sweep(
    scores: npt.NDArray[np.float32],
    sound: npt.NDArray[np.bool_],
    gain: npt.NDArray[np.floating],
    total: int | None = None,
) -> Curve:
    """Rate and summed gain of everything at or above each distinct score, highest first.

    scores (n,), finite; sound (n,): what must not be above a threshold, the rate counts it;
    gain (n,): what each element adds to the value; total: all sound elements, if the lowest
    scores were left away. Raises ValueError without a sound element.
    """
    total = int(np.count_nonzero(sound)) if total is None else total
    if total == 0:
        raise ValueError("expected at least one element that is no defect, got none")
    order = np.argsort(scores)[::-1]
    sorted_scores = scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(sorted_scores)), scores.size - 1)
    return Curve(
        rate=np.cumsum(sound[order])[last_of_tie] / total,
        value=np.cumsum(gain[order], dtype=np.float64)[last_of_tie],
        threshold=sorted_scores[last_of_tie].astype(np.float64),
    )


@dataclass(slots=True)
class Census:
    """Where the sound scores lie, to within a 65536th of the floats; filled group by group."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(
        self, scores: npt.NDArray[np.float32], ids: npt.NDArray[np.int16]
    ) -> npt.NDArray[np.int64]:
        """Count the scores (n,) whose id (n,) is 0; returns how often each id >= 0 occurs."""
        bits = np.ascontiguousarray(scores, np.float32).view(np.uint32)
        sizes = np.zeros(BINS, np.int64)
        count_sound(bits, np.ascontiguousarray(ids), self.counts, sizes)
        return sizes[: int(np.flatnonzero(sizes).max(initial=0)) + 1]

    @property
    def total(self) -> int:
        """How many were counted."""
        return int(self.counts.sum())

    def cutoff(self, limit: float) -> float:
        """A score at or above which more than `limit` of the counted lie, as high as the bins tell.

        What is below cannot change a curve up to that rate.
        """
        if limit >= 1.0:
            return -np.inf
        at_or_above = np.cumsum(self.counts[::-1])[::-1]
        enough = np.flatnonzero(at_or_above > limit * self.total)
        return lower_edge(int(enough[-1])) if enough.size else -np.inf
