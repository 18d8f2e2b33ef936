"""How the views' scores of one voxel become one: the rules side by side.

The maximum is what SiM3D's benchmark takes (section 4.2) and what the runtime decides by; the
others show what it costs. A view that did not see a voxel has no vote on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOP = 3
AT_LEAST = 2

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Votes of the views on n voxels: by (n, v) float32, descending per voxel, 0 where none."""

    by: Scores
    seen: npt.NDArray[np.int32]  # (n,) views that saw the voxel

    @classmethod
    def of(cls, views: Sequence[Scores], saw: Sequence[npt.NDArray[np.bool_]]) -> Votes:
        """Per view the scores (n,) and whether it saw the voxel (n,)."""
        if not views:
            return cls(np.zeros((0, 1), np.float32), np.zeros(0, np.int32))
        heard = np.where(np.stack(saw, axis=1), np.stack(views, axis=1), 0).astype(np.float32)
        return cls(-np.sort(-heard, axis=1), np.sum(saw, axis=0, dtype=np.int32))


def maximum(votes: Votes) -> Scores:
    """One view is enough."""
    return votes.by[:, 0]


def top_mean(votes: Votes, top: int = TOP) -> Scores:
    """Mean of the `top` highest votes, or of all if fewer saw the voxel."""
    count = np.clip(votes.seen, 1, top).astype(np.float32)
    mean: Scores = votes.by[:, :top].sum(axis=1) / count
    return mean


def at_least(votes: Votes, views: int = AT_LEAST) -> Scores:
    """The score that at least so many views gave; what only fewer saw needs all of them."""
    place = np.clip(votes.seen, 1, views) - 1
    place = np.minimum(place, votes.by.shape[1] - 1)
    return np.take_along_axis(votes.by, place[:, None], axis=1)[:, 0]


def noisy_or(votes: Votes) -> Scores:
    """1 - product of (1 - p) with p = s / (1 + s), given back as odds, so that one view keeps s."""
    odds: Scores = np.expm1(np.log1p(np.maximum(votes.by, 0)).sum(axis=1)).astype(np.float32)
    return odds


RULES: dict[str, Callable[[Votes], Scores]] = {
    "max": maximum,
    f"top-{TOP} mean": top_mean,
    f"at least {AT_LEAST} views": at_least,
    "noisy-or": noisy_or,
}
