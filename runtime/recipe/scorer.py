"""A classifier over zones in a recipe: it may call a part bad that no voxel calls bad.

It hears every detector of the recipe apart (SegAD: "All AD").

It never calls a part good that a voxel calls bad: what is not proven good is not PASS.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.npz import typed
from voxgate.runtime.recipe.classifier.forest import Forest
from voxgate.runtime.recipe.classifier.zone_statistics import feature_names, features
from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """channels: detectors that feed it, of the recipe's; names: of the columns, as trained;
    threshold: chance 0..1 of a bad part that becomes a score of 1.0."""

    forest: Forest
    channels: tuple[str, ...]
    names: tuple[str, ...]
    threshold: float

    def __post_init__(self) -> None:
        if len(set(self.channels)) < len(self.channels) or not self.channels:
            raise ValueError(f"a scorer hears each of its detectors once, got {self.channels}")
        if len(self.names) != self.forest.features:
            raise ValueError(f"{len(self.names)} names for {self.forest.features} features")
        if not 0 < self.threshold < 1:
            raise ValueError(f"the threshold is a chance between 0 and 1, got {self.threshold}")

    def check_channels(self, known: tuple[str, ...]) -> None:
        """Raises ValueError when it hears a detector that the recipe has not."""
        if unknown := set(self.channels) - set(known):
            raise ValueError(f"unknown detectors {sorted(unknown)}, known: {', '.join(known)}")

    def check_zones(self, zones: Zones) -> None:
        """Raises ValueError when it was trained on other zones."""
        if feature_names(self.channels, zones) != self.names:
            raise ValueError("the scorer was trained on other zones or statistics: train it again")

    def score(
        self, volumes: Mapping[str, Volume], zones: Zones, reference_from_part: Transform
    ) -> float:
        """Chance of a bad part over its threshold: 1.0 is the threshold."""
        row = features({name: volumes[name] for name in self.channels}, zones, reference_from_part)
        return chance(self.forest.margin(row)) / self.threshold


def chance(margin: float) -> float:
    """The logistic function."""
    return float(1 / (1 + np.exp(-np.clip(margin, -50, 50))))


def write_scorer(scorer: Scorer) -> bytes:
    """The content of `scorer.npz`."""
    buffer = io.BytesIO()
    forest = scorer.forest
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        feature=forest.feature,
        value=forest.value,
        yes=forest.yes,
        no=forest.no,
        missing_yes=forest.missing_yes,
        roots=forest.roots,
        base=np.float64(forest.base),
        channels=np.array(scorer.channels),
        names=np.array(scorer.names),
        threshold=np.float64(scorer.threshold),
    )
    return buffer.getvalue()


def read_scorer(arrays: Mapping[str, npt.NDArray[Any]]) -> Scorer:
    """Raises ValueError or KeyError for what is no scorer."""
    forest = Forest(
        feature=typed(arrays, "feature", np.int32),
        value=typed(arrays, "value", np.float32),
        yes=typed(arrays, "yes", np.int32),
        no=typed(arrays, "no", np.int32),
        missing_yes=typed(arrays, "missing_yes", np.bool_),
        roots=typed(arrays, "roots", np.int32),
        base=float(typed(arrays, "base", np.float64)),
        features=len(arrays["names"]),
    )
    return Scorer(
        forest,
        tuple(str(name) for name in arrays["channels"]),
        tuple(str(name) for name in arrays["names"]),
        float(typed(arrays, "threshold", np.float64)),
    )
