"""A boosted forest evaluated without the library that grew it: all trees walked at once.

The arithmetic is XGBoost's: features and splits are float32, a feature below its split goes to
the yes side, a missing one (NaN) where the tree says, leaves are summed in the trees' order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAF = -1
MOST_NODES = 10_000_000
MOST_DEPTH = 64

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Nodes of all trees one after the other.

    feature (n,): column to look at, -1 in a leaf; value (n,): split, in a leaf its weight; yes, no
    (n,): where to go; missing_yes (n,): whether NaN goes to yes; roots (t,); base: margin without a
    tree; features: how many columns a row has.
    """

    feature: Ints
    value: Floats
    yes: Ints
    no: Ints
    missing_yes: npt.NDArray[np.bool_]
    roots: Ints
    base: float
    features: int

    def __post_init__(self) -> None:
        count = len(self.feature)
        if any(
            array.ndim != 1 for array in (self.feature, self.value, self.yes, self.no, self.roots)
        ):
            raise ValueError("a forest's arrays have one dimension")
        sizes = {len(self.value), len(self.yes), len(self.no), len(self.missing_yes)}
        if sizes != {count} or not 0 < count <= MOST_NODES or not len(self.roots):
            raise ValueError(f"a forest has 1 to {MOST_NODES} whole nodes and a root")
        if not np.isfinite(self.value).all() or not np.isfinite(self.base):
            raise ValueError("splits, leaves and base must be finite")
        inner = self.feature != LEAF
        at = np.arange(count)[inner]
        # a child lies behind its parent, so that every walk ends
        ends = all(
            ((side[inner] > at) & (side[inner] < count)).all() for side in (self.yes, self.no)
        )
        if not ends or (self.roots < 0).any() or (self.roots >= count).any():
            raise ValueError("a tree's children lie behind their parent, inside the forest")
        if (self.feature < LEAF).any() or (self.feature >= self.features).any():
            raise ValueError(f"features lie from 0 to {self.features - 1}")

    def margin(self, row: npt.NDArray[np.floating]) -> float:
        """The sum of the leaves that a row (features,) falls into, and the base."""
        x = np.asarray(row, np.float32)
        if x.shape != (self.features,):
            raise ValueError(f"expected {self.features} features, got {x.shape}")
        node = self.roots.copy()
        for _ in range(MOST_DEPTH):
            inner = self.feature[node] != LEAF
            if not inner.any():
                break
            at = node[inner]
            given = x[self.feature[at]]
            left = np.where(np.isnan(given), self.missing_yes[at], given < self.value[at])
            node[inner] = np.where(left, self.yes[at], self.no[at])
        # float32 and in order, as the sum that was trained against
        total = np.add.accumulate(np.append(np.float32(self.base), self.value[node]))
        return float(total[-1])
