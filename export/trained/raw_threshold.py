"""Which raw score becomes 1.0: from good parts alone, with what that can and cannot prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from voxgate.export.golden.disturbance import LIGHT, SHIFT_MM, TURN_DEG
from voxgate.export.golden.seen_again import FALSE_REJECTS, Scores, part_quantile
from voxgate.export.source import Source
from voxgate.export.trained.samples import Sample
from voxgate.runtime.engines.engine import Engine
from voxgate.runtime.errors import EngineError

GOOD_MARGIN = 1.1  # above the worst good part that was seen: the next one is as likely to be worse
LEAST_RAW, MOST_RAW = 1e-30, 1e30  # float32 holds such a number and what it is divided by
GIVEN = "given by the user"
FITTED = "the golden scan seen again"


@dataclass(frozen=True, slots=True, eq=False)
class Threshold:
    """The raw score that becomes 1.0, and for threshold.json how it was found.

    maxima: raw, of the golden part seen again, one per view; good: raw part score of further scans.
    """

    raw: float
    source: str
    maxima: Scores
    good: Mapping[str, float] = field(default_factory=dict)

    def raised_to(self, part_scores: Mapping[str, float]) -> Threshold:
        """Above every good part too; scores in units of this threshold."""
        good = {name: score * self.raw for name, score in part_scores.items()}
        return replace(self, raw=max(self.raw, GOOD_MARGIN * max(good.values())), good=good)

    def above(self, part_scores: Mapping[str, float]) -> Threshold:
        """As it was given, with what good parts score. Raises EngineError if one is rejected."""
        for name, score in part_scores.items():
            if score >= 1.0:
                raise EngineError(
                    f"the good scan {name} scores {score:.3g} of the threshold that was given, raw "
                    f"{score * self.raw:.4g}: name a higher --threshold, or leave it out"
                )
        good = {name: score * self.raw for name, score in part_scores.items()}
        return replace(self, good=good)

    @property
    def record(self) -> dict[str, Any]:
        """For threshold.json; scores in units of the threshold."""
        return {
            "threshold": 1.0,
            "threshold_raw": self.raw,
            "source": self.source,
            "nominal": {
                "source": FITTED,
                "shift_mm": SHIFT_MM,
                "turn_deg": TURN_DEG,
                "light": LIGHT,
                "maxima": [self._of_threshold(score) for score in self.maxima],
            },
            "good_parts": {name: self._of_threshold(score) for name, score in self.good.items()},
            **(_claims(bool(self.good)) if self.source == FITTED else {}),
        }

    def _of_threshold(self, raw: float) -> float:
        return round(float(raw) / self.raw, 4)


def nominal_maxima(runs: Sequence[Sequence[Sample]], engine: Engine, source: Source) -> Scores:
    """Largest raw score on the golden part in every run and view.

    Raises EngineError when the model says nothing: no numbers, or the same everywhere.
    """
    maps = [(sample, engine.run(sample.inputs)[0, 0]) for run in runs for sample in run]
    if not all(np.isfinite(score).all() for _, score in maps):
        raise EngineError(f"{source.method}: the model gives scores that are no numbers")
    if all(np.ptp(score) == 0 for _, score in maps):
        raise EngineError(
            f"{source.method}: the model gives the same score everywhere: are these its weights?"
        )
    return np.array([sample.peak(score) for sample, score in maps])


def given_threshold(raw: float, maxima: Scores) -> Threshold:
    """As the user says. Raises EngineError unless it is a positive number that float32 holds."""
    if not LEAST_RAW <= raw <= MOST_RAW:
        raise EngineError(
            f"the threshold must be a raw score from {LEAST_RAW:g} to {MOST_RAW:g}, got {raw}"
        )
    return Threshold(raw, GIVEN, maxima)


def nominal_threshold(maxima: Scores, views: int, source: Source) -> Threshold:
    """The score that a good part of so many views exceeds once in 1 / FALSE_REJECTS.

    Raises EngineError when the golden part scores nothing at all.
    """
    largest = float(maxima.max())
    if not largest > 0:
        raise EngineError(
            f"{source.method}: the golden part scores 0 in every view, no threshold follows from "
            "it: name one with --threshold"
        )
    return Threshold(part_quantile(maxima / largest, views) * largest, FITTED, maxima)


def _claims(has_good_parts: bool) -> dict[str, Any]:
    """What a threshold that was found here rests on, and what it leaves open."""
    fit = {
        "law": "Gumbel, maxima per view, to a part of all views",
        "target_false_rejects": FALSE_REJECTS,
    }
    if has_good_parts:
        return {
            "fit": fit,
            "proves": "placement, light, noise and the good parts that were seen are not rejected",
            "cannot_prove": f"how parts differ that were not seen: {GOOD_MARGIN} times the worst "
            "good part is a margin, not a law",
        }
    return {
        "fit": fit,
        "proves": "placement, light and noise alone do not reject a good part",
        "cannot_prove": "how other good parts differ: a model that knows this very part scores it "
        "low; export again with --good SCAN of some other good parts",
    }
