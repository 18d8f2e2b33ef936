"""What lies beyond the scores that were seen: laws for the tail, tested before they are believed.

A part's score is a maximum over views and voxels, so its upper tail follows an extreme value law:
exceedances over a high level are generalised Pareto (Pickands, 1975). The gamma law is the
alternative for few scores. A law whose parameters were fitted to the very scores it is tested on
looks better than it is, so the test draws from the fitted law, fits again and compares (parametric
bootstrap of the Anderson-Darling statistic).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

LawName = Literal["generalised Pareto", "gamma"]
LEVEL = 0.5  # exceedances over the median: half of few scores is few enough
LEAST_SCORES = 8  # three parameters from fewer scores are a guess
BOOTSTRAPS = 200
REJECTED_BELOW = 0.05  # p-value
SEED = 7
# the shape of the Pareto tail is held between a uniform's end and a tail without a mean
SHAPE_RANGE = (-0.9, 0.9)

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Law:
    """A fitted tail. parameters: shape, scale (and level of a Pareto tail); above: P(over level).

    statistic: Anderson-Darling; p_value: chance of a statistic as large if the law were true.
    """

    name: LawName
    shape: float
    scale: float
    level: float
    above: float
    scores: int
    statistic: float
    p_value: float

    @property
    def believed(self) -> bool:
        """Whether the scores do not speak against the law."""
        return self.p_value >= REJECTED_BELOW

    def quantile(self, rate: float) -> float:
        """The score that a part exceeds with probability `rate`, never below the level."""
        if not 0 < rate < 1:
            raise ValueError(f"a rate lies between 0 and 1, got {rate}")
        if self.name == "gamma":
            return float(_law("gamma").isf(rate, self.shape, scale=self.scale))
        if rate >= self.above:
            return self.level
        beyond = _law(self.name).isf(rate / self.above, self.shape, scale=self.scale)
        return float(self.level + beyond)


def fit_tail(scores: Sequence[float]) -> tuple[Law, ...]:
    """Both laws, the better supported first. Raises ValueError for too few or constant scores."""
    values = np.sort(np.asarray(scores, np.float64))
    if values.size < LEAST_SCORES:
        raise ValueError(f"{values.size} scores, a tail needs at least {LEAST_SCORES}")
    if not (np.isfinite(values).all() and values[0] >= 0):
        raise ValueError("scores of good parts must be finite and not negative")
    if np.ptp(values) == 0:
        raise ValueError(f"all {values.size} scores are {values[0]:.3g}: no tail to fit")
    if np.unique(values).size < LEAST_SCORES // 2 + 1:
        raise ValueError(f"only {np.unique(values).size} different scores: no tail to fit")
    laws = (_fitted("generalised Pareto", values), _fitted("gamma", values))
    return tuple(sorted(laws, key=lambda law: -law.p_value))


def _fitted(name: LawName, values: Scores) -> Law:
    shape, scale, level, above, used = _parameters(name, values)
    statistic = _anderson_darling(_law(name).cdf(used - level, shape, scale=scale))
    drawn = _law(name).rvs(
        shape, scale=scale, size=(BOOTSTRAPS, used.size), random_state=np.random.default_rng(SEED)
    )
    again, spread = _tail_fit(name, drawn := np.sort(drawn, axis=1))
    refitted = _law(name).cdf(drawn, again[:, None], scale=spread[:, None])
    larger = int((_anderson_darling(refitted) >= statistic).sum())
    p_value = (larger + 1) / (BOOTSTRAPS + 1)
    return Law(name, shape, scale, level, above, used.size, float(statistic), p_value)


def _parameters(name: LawName, values: Scores) -> tuple[float, float, float, float, Scores]:
    """shape, scale, level, share above it, and the scores that were used."""
    level, used = 0.0, values
    if name != "gamma":
        level = float(np.quantile(values, LEVEL))
        used = values[values > level]
        if used.size < LEAST_SCORES // 2:
            raise ValueError(f"only {used.size} scores above the median: no tail to fit")
    shape, scale = _tail_fit(name, (used - level)[None])
    return float(shape[0]), float(scale[0]), level, used.size / values.size, used


def _tail_fit(name: LawName, values: Scores) -> tuple[Scores, Scores]:
    """Shapes and scales (b,) of samples (b, n), by moments: no iteration that could fail on few."""
    mean, variance = values.mean(axis=1), np.maximum(values.var(axis=1, ddof=1), 1e-18)
    ratio = mean**2 / variance
    if name == "gamma":
        return ratio, mean / ratio
    shape = np.clip((1 - ratio) / 2, *SHAPE_RANGE)
    return shape, mean * (1 - shape)


def _law(name: LawName) -> Any:
    from scipy import stats  # a second, which only who fits a law shall wait for

    return stats.gamma if name == "gamma" else stats.genpareto


def _anderson_darling(cdf: Scores) -> Scores:
    """(...,) of sorted probabilities (..., n): 0 would be a perfect fit; weighs the tails."""
    p = np.clip(cdf, 1e-12, 1 - 1e-12)
    count = p.shape[-1]
    terms = np.log(p) + np.log1p(-p[..., ::-1])
    found: Scores = -count - np.mean((2 * np.arange(1, count + 1) - 1) * terms, axis=-1)
    return found
