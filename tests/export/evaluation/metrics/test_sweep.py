"""The exact sweep against a threshold at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.export.evaluation.metrics.sweep import Census, sweep

ELEMENTS = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.floats(0, 1, width=32)), min_size=1, max_size=40
)


@pytest.mark.slow
@given(elements=ELEMENTS)
def test_every_point_is_what_counting_at_its_threshold_gives(
    elements: list[tuple[int, bool, float]],
) -> None:
    scores = np.array([score for score, _, _ in elements], np.float32)
    sound = np.array([good for _, good, _ in elements])
    gain = np.array([gain for _, _, gain in elements])
    if not sound.any():
        with pytest.raises(ValueError, match="no defect"):
            sweep(scores, sound, gain)
        return
    curve = sweep(scores, sound, gain)
    assert curve.threshold.tolist() == np.unique(scores)[::-1].tolist()
    for threshold, rate, value in zip(curve.threshold, curve.rate, curve.value, strict=True):
        above = scores >= threshold
        assert rate == pytest.approx(above[sound].mean())
        assert value == pytest.approx(gain[above].sum())


FLOATS = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, -0.0, 0.5, -0.5])


@settings(deadline=None)  # the first example compiles the kernel
@given(scores=st.lists(FLOATS, min_size=1, max_size=60), limit=st.floats(0.01, 1.0))
def test_what_lies_below_the_cutoff_cannot_change_a_curve(
    scores: list[float], limit: float
) -> None:
    values = np.array(scores, np.float32)
    sound = np.arange(values.size) % 3 != 1
    gain = (~sound).astype(np.float64)
    census = Census()
    census.add(values, (~sound).astype(np.int16))
    kept = values >= census.cutoff(limit)
    whole = sweep(values, sound, gain)
    top = sweep(values[kept], sound[kept], gain[kept], census.total)
    assert top.area(limit) == pytest.approx(whole.area(limit))
    assert top.area(limit, "linear") == pytest.approx(whole.area(limit, "linear"))


def test_the_cutoff_keeps_little_more_than_the_rate_asked_for() -> None:
    scores = np.random.default_rng(0).gamma(2, 1, 100_000).astype(np.float32)
    census = Census()
    census.add(scores, np.zeros(scores.size, np.int16))
    assert 0.01 < (scores >= census.cutoff(0.01)).mean() < 0.012


def test_a_limit_of_zero_is_refused() -> None:
    curve = sweep(np.ones(2, np.float32), np.array([True, False]), np.ones(2))
    with pytest.raises(ValueError, match="limit"):
        curve.area(0.0)
