"""What good parts score, as far as one golden scan can tell, and where that puts the threshold.

Two experiments, both with the pipeline that will serve. *Seen again*: the golden part is put down
again (`disturbance.py`), aligned, registered and scored, every view against its own golden view.
*Left out* (`left_out.py`): its depth against what the other views measured. The maxima per view
follow an extreme value law; its quantile for a whole part must stay below the threshold, else the
scale is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.export.golden.disturbance import LIGHT, SHIFT_MM, TURN_DEG, placement, seen_again
from voxgate.export.golden.golden import Golden
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.align import align
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.register import register
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.engines.engine import Engine, Tensor, score_map
from voxgate.runtime.errors import ScanError
from voxgate.runtime.inspection.inspector import ALIGNMENT_VIEWS
from voxgate.runtime.nouns import Note, View
from voxgate.runtime.pixels.colour import in_front
from voxgate.runtime.transforms import Transform

REPEATS = 2  # times the golden part is put down again: 24 maxima of 12 views fix a two-number law
FALSE_REJECTS = 1e-3  # of good parts, by the law that is fitted
SEED = 20  # the same scan gives the same recipe
LEAST_SPREAD = 1e-3  # of the threshold; a law of no width has no quantile

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """One golden view seen again: what the model gets, and what geometry says."""

    inputs: dict[str, Tensor]
    registered: Registered
    view: View
    reference_from_part: Transform


@dataclass(frozen=True, slots=True, eq=False)
class NominalScores:
    """Largest score on the part per view, 1.0 = threshold.

    appearance, geometry: (repeats * views,), seen again; left_out: (views,), geometry.
    """

    appearance: Scores
    geometry: Scores
    left_out: Scores
    views: int

    @property
    def expected_max(self) -> float:
        """Appearance score that a good part exceeds with probability FALSE_REJECTS."""
        return part_quantile(self.appearance, self.views)

    @property
    def expected_deviation(self) -> float:
        """Geometry score that a good part exceeds with probability FALSE_REJECTS."""
        return part_quantile(self.left_out, self.views)

    def record(self, full_scale: float, tolerance_mm: float) -> dict[str, Any]:
        """For threshold.json: what was measured, what follows, what it cannot prove."""
        return {
            "threshold": 1.0,
            "full_scale_tolerances": full_scale,
            "tolerance_mm": tolerance_mm,
            "nominal": {
                "source": "the golden scan seen again",
                "shift_mm": SHIFT_MM,
                "turn_deg": TURN_DEG,
                "light": LIGHT,
                "appearance": _rounded(self.appearance),
                "geometry": _rounded(self.geometry),
            },
            "left_out": {
                "source": "each golden view's depth against the other views' surface",
                "geometry": _rounded(self.left_out),
            },
            "fit": {
                "law": "Gumbel, maxima per view, to a part of all views",
                "target_false_rejects": FALSE_REJECTS,
                "appearance": round(self.expected_max, 4),
                "geometry": round(self.expected_deviation, 4),
            },
            "proves": "placement, light and noise alone do not reject a good part",
            "cannot_prove": "how other good parts differ in texture, label, tone and shape: "
            "inspect some good parts and compare their scores with 1.0",
        }


def seen_again_inputs(
    golden: Golden,
    expected: Sequence[ExpectedView],
    crew: Crew,
    rng: np.random.Generator,
) -> list[Again]:
    """The golden part put down once more: every view, aligned and registered.

    Raises ScanError when the part is not recognised as itself.
    """
    moved = placement(rng)
    views = [
        seen_again(view, known, golden.rays, moved, rng)
        for view, known in zip(golden.views, expected, strict=True)
    ]
    reference_from_part = _aligned(views, expected, golden)
    return [
        _again(planned, view, expected, golden, reference_from_part, crew)
        for planned, view in enumerate(views)
    ]


def nominal_scores(
    runs: Sequence[Sequence[Again]],
    left_out: Scores,
    expected: Sequence[ExpectedView],
    engine: Engine,
    on_view: Callable[[], None],
) -> NominalScores:
    """Score every view that was seen again; only pixels on the part count."""
    appearance: list[float] = []
    geometry: list[float] = []
    for run in runs:
        for again, known in zip(run, expected, strict=True):
            score = score_map(engine, again.inputs).score
            appearance.append(float(score[known.measured | known.shown].max()))
            shape = again.registered.shape
            geometry.append(float(shape.geometry[known.shape.measured].max()))
            on_view()
    return NominalScores(np.array(appearance), np.array(geometry), left_out, len(expected))


def part_quantile(maxima: Scores, views: int, false_rejects: float = FALSE_REJECTS) -> float:
    """The score that the largest of `views` maxima exceeds with probability `false_rejects`.

    Gumbel by its moments: the maximum of n such has the same width and lies ln(n) widths higher.
    """
    width = max(float(maxima.std()) * np.sqrt(6) / np.pi, LEAST_SPREAD)
    location = float(maxima.mean()) - np.euler_gamma * width
    return float(location + width * (np.log(views) - np.log(-np.log1p(-false_rejects))))


def _aligned(views: Sequence[View], expected: Sequence[ExpectedView], golden: Golden) -> Transform:
    count = min(ALIGNMENT_VIEWS, len(views))
    found = align(views[:count], expected[:count], golden.rays)
    if isinstance(found, Note):
        raise ScanError(f"{golden.scan.folder}: the golden part is not found again: {found.detail}")
    return found.reference_from_part


def _again(
    planned: int,
    view: View,
    expected: Sequence[ExpectedView],
    golden: Golden,
    reference_from_part: Transform,
    crew: Crew,
) -> Again:
    found = register(view, planned, expected, golden.rays, reference_from_part, crew)
    inputs: dict[str, Tensor] = {
        "image": in_front(view.picture),
        "reference": in_front(found.reference_picture),
        "gloss": in_front(found.gloss),
    }
    return Again(inputs, found, view, reference_from_part)


def _rounded(scores: Scores) -> list[float]:
    return [round(float(score), 4) for score in scores]
