"""Ours against OpenCV 4 on the same rendered pictures, with the faults of real ones."""

from __future__ import annotations

import pytest

from voxgate.benchmarks.calibration.rendered import CAMERA, FAULTS, compare, medians

CELLS = 12
BY_CHANCE = 1.05  # between medians of so many cells, and the best of seven methods


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", FAULTS)
def test_ours_is_at_least_as_accurate_as_the_best_of_them(fault: str) -> None:
    lenses, places = zip(*(compare(seed, FAULTS[fault]) for seed in range(CELLS)), strict=True)
    lens, place = medians(lenses), medians(places)
    assert lens["ours"] <= lens[CAMERA]
    ours_mm, ours_deg = place.pop("ours")
    assert ours_mm <= BY_CHANCE * min(mm for mm, _ in place.values())
    assert ours_deg <= BY_CHANCE * min(deg for _, deg in place.values())
