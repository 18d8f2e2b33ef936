"""The promised accuracy, and that what is claimed is true; the print is in benchmarks/results."""

from __future__ import annotations

import pytest

from voxgate.benchmarks.calibration.accuracy import PROMISED, coverage, medians, outcome


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("eye_in_hand", [True, False])
def test_medians_over_fifty_cells_keep_the_promise(eye_in_hand: bool) -> None:
    outcomes = [outcome(seed, eye_in_hand) for seed in range(50)]
    assert (medians(outcomes) <= list(PROMISED.values())).all()
    assert min(coverage(outcomes)) > 0.001


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_rendered_pictures_keep_the_promise_too() -> None:
    outcomes = [outcome(seed, rendered=True) for seed in range(3)]
    assert (medians(outcomes) <= list(PROMISED.values())).all()
