"""Whether a part can be over the threshold at all: else every part passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from voxgate.export.source import Source
from voxgate.export.trained.samples import Sample
from voxgate.runtime.engines.engine import Engine, raw_scores
from voxgate.runtime.errors import EngineError

MOST_OF_BOUND = 0.9  # of the largest score there can be: closer, a defect drowns in what is normal
ADVICE = "name a lower --threshold, or train the model again"


def check_bound(threshold: float, source: Source) -> None:
    """Raises EngineError for a threshold close to the most that the model can say."""
    if source.bound is not None and not threshold <= MOST_OF_BOUND * source.bound:
        raise EngineError(
            f"{source.method}: the threshold {threshold:.4g} is no less than {MOST_OF_BOUND:g} of "
            f"{source.bound:.4g}, the most this model can say, so parts would pass whatever they "
            f"are: {ADVICE}"
        )


def check_reach(
    engine: Engine,
    threshold: float,
    source: Source,
    nominal: Sequence[Sample],
    strange: Sequence[Sample],
) -> None:
    """Hold a scaled graph against inputs that no good part gives.

    Every viewpoint that the model tells apart by the input `view`, else any one of them, must show
    a score over the threshold on the part. Raises EngineError when none does, or when the model
    says of strange inputs what it says of the golden part.
    """
    scores = [raw_scores(engine, dict(sample.inputs)) for sample in strange]
    known = {sample.view: raw_scores(engine, dict(sample.inputs)) for sample in nominal}
    pairs = zip(strange, scores, strict=True)
    if all(np.array_equal(score, known[sample.view]) for sample, score in pairs):
        raise EngineError(
            f"{source.method}: the model says the same of a marked, an inverted and an empty view "
            "as of the golden part: it does not look at what it is shown"
        )
    peaks = [sample.peak(score) for sample, score in zip(strange, scores, strict=True)]
    for group in _told_apart(source, strange):
        top = max(peaks[number] for number in group)
        if not top > 1.0:
            where = f" of view {strange[group[0]].view}" if source.tells_views_apart else ""
            raise EngineError(
                f"{source.method}: nothing reaches the threshold{where}: the most that "
                f"{', '.join(_kinds(strange))} inputs score on the part is {top:.3g} of it "
                f"(raw {top * threshold:.4g}), so every part would pass: {ADVICE}"
            )


def _told_apart(source: Source, strange: Sequence[Sample]) -> Iterable[list[int]]:
    """Numbers of the samples that one viewpoint's constants score."""
    if not source.tells_views_apart:
        return [list(range(len(strange)))]
    views = dict.fromkeys(sample.view for sample in strange)
    return [[n for n, s in enumerate(strange) if s.view == view] for view in views]


def _kinds(strange: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(sample.strange for sample in strange))
