"""Tail laws and conformal bounds: believed when true, refused when not, and proven by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammainccinv

from voxgate.export.quality.conformal import (
    conformal_threshold,
    least_rate,
    parts_needed,
    proven_rate,
    rate_with_confidence,
)
from voxgate.export.quality.tail import LEAST_SCORES, fit_tail


@pytest.mark.slow
def test_scores_of_a_law_are_believed_and_their_quantile_is_near() -> None:
    rng = np.random.default_rng(0)
    scores = rng.gamma(6.0, 0.1, 400)
    best = fit_tail(scores.tolist())[0]
    assert best.believed
    assert best.quantile(0.01) == pytest.approx(0.1 * gammainccinv(6.0, 0.01), rel=0.12)


def test_true_laws_are_rarely_rejected() -> None:
    rng = np.random.default_rng(1)
    fits = [fit_tail(rng.gamma(4.0, 0.1, 30).tolist()) for _ in range(20)]
    rejected = sum(law.name == "gamma" and not law.believed for laws in fits for law in laws)
    assert rejected <= 4  # one in twenty is expected


def test_two_kinds_of_parts_fit_no_law() -> None:
    rng = np.random.default_rng(2)
    scores = np.concatenate([rng.normal(0.3, 0.01, 40), rng.normal(0.9, 0.01, 40)])
    assert not any(law.believed for law in fit_tail(scores.tolist()))


def test_a_rarer_rate_asks_for_a_higher_threshold() -> None:
    for law in fit_tail(np.random.default_rng(3).gamma(3.0, 0.1, 50).tolist()):
        quantiles = [law.quantile(rate) for rate in (0.4, 0.1, 0.01, 0.001)]
        assert quantiles == sorted(quantiles)


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ([0.1] * (LEAST_SCORES - 1), "at least"),
        ([0.5] * 20, "no tail"),
        ([0.5] * 18 + [0.6, 0.7], "different"),
        ([0.5, float("nan")] * 10, "finite"),
        ([-0.5, 0.5] * 10, "not negative"),
    ],
)
def test_scores_without_a_tail_are_refused(scores: list[float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fit_tail(scores)


@given(count=st.integers(1, 30), rate=st.floats(0.02, 0.5))
def test_a_conformal_threshold_proves_its_rate_or_is_not_given(count: int, rate: float) -> None:
    scores = np.random.default_rng(count).random(count).tolist()
    threshold = conformal_threshold(scores, rate)
    if threshold is None:
        assert rate < least_rate(count)
        assert parts_needed(rate) > count
    else:
        assert proven_rate(scores, threshold + 1e-9) <= rate + 1e-9


def test_the_next_part_is_rejected_as_rarely_as_proven() -> None:
    rng = np.random.default_rng(4)
    rejects = 0
    for _ in range(4000):
        *seen, following = rng.gamma(2.0, 1.0, 20).tolist()
        threshold = conformal_threshold(seen, 0.1)
        assert threshold is not None
        rejects += following > threshold
    assert rejects / 4000 == pytest.approx(0.1, abs=0.015)


def test_confidence_costs_more_than_an_average() -> None:
    scores = np.linspace(0, 1, 20).tolist()
    assert rate_with_confidence(scores, 2.0, 0.95) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert rate_with_confidence(scores, 2.0, 0.95) > proven_rate(scores, 2.0)
    assert rate_with_confidence(scores, -1.0, 0.95) == 1.0


def test_how_many_parts_a_rate_needs() -> None:
    assert [parts_needed(rate) for rate in (0.5, 0.1, 0.01)] == [1, 9, 99]
