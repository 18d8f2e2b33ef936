"""Which raw score becomes 1.0: from good parts alone, with what that can and cannot prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.disturbance import LIGHT, SHIFT_MM, TURN_DEG
from export.nominal import FALSE_REJECTS, part_quantile
from export.samples import Sample
from export.source import Source
from runtime.engine import Engine
from runtime.errors import EngineError

GOOD_MARGIN = 1.1  # above the worst good part that was seen: the next one is as likely to be worse


@dataclass(frozen=True, slots=True)
class Threshold:
    """The raw score that becomes 1.0, and for threshold.json how it was found."""

    raw: float
    record: Mapping[str, Any]

    def raised_to(self, part_scores: Mapping[str, float]) -> Threshold:
        """Above every good part too; scores in units of this threshold."""
        raw = self.raw * max(1.0, GOOD_MARGIN * max(part_scores.values()))
        good = {name: round(score * self.raw / raw, 4) for name, score in part_scores.items()}
        return Threshold(raw, {**self.record, "threshold_raw": raw, "good_parts": good})


def given_threshold(raw: float) -> Threshold:
    """As the user says. Raises EngineError unless it is a positive number."""
    if not (np.isfinite(raw) and raw > 0):
        raise EngineError(f"the threshold must be a positive raw score, got {raw}")
    return Threshold(raw, {"threshold": 1.0, "threshold_raw": raw, "source": "given by the user"})


def nominal_threshold(
    runs: Sequence[Sequence[Sample]], engine: Engine, source: Source
) -> Threshold:
    """The score that a good part exceeds once in 1 / FALSE_REJECTS, by the golden part seen again.

    Raises EngineError when the model says nothing about the part: zero, or the same everywhere.
    """
    maps = [(sample, engine.run(dict(sample.inputs))[0, 0]) for run in runs for sample in run]
    if not all(np.isfinite(score).all() for _, score in maps):
        raise EngineError(f"{source.method}: the model gives scores that are no numbers")
    if all(np.ptp(score) == 0 for _, score in maps):
        raise EngineError(
            f"{source.method}: the model gives the same score everywhere: are these its weights?"
        )
    maxima = np.array([float(sample.of_part(score).max(initial=0.0)) for sample, score in maps])
    largest = float(maxima.max())
    if not largest > 0:
        raise EngineError(
            f"{source.method}: the golden part scores 0 in every view, no threshold follows from "
            "it: name one with --threshold, or good scans with --good"
        )
    raw = part_quantile(maxima / largest, len(runs[0])) * largest
    return Threshold(raw, _record(raw, maxima / raw))


def _record(raw: float, maxima: Any) -> dict[str, Any]:
    return {
        "threshold": 1.0,
        "threshold_raw": raw,
        "nominal": {
            "source": "the golden scan seen again",
            "shift_mm": SHIFT_MM,
            "turn_deg": TURN_DEG,
            "light": LIGHT,
            "maxima": [round(float(score), 4) for score in maxima],
        },
        "fit": {
            "law": "Gumbel, maxima per view, to a part of all views",
            "target_false_rejects": FALSE_REJECTS,
        },
        "proves": "placement, light and noise alone do not reject a good part",
        "cannot_prove": "how other good parts differ: a model that knows this very part scores it "
        "low; export again with --good SCAN of some other good parts",
    }
