"""Pixel metrics against brute force over every threshold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from voxgate.export.evaluation.metrics.pixels import (
    LabelledPicture,
    aupro_over_limits,
    pixel_aupro,
    pixel_auroc,
    segmentation_pixel_auroc,
)


def _pictures(seed: int, ties: bool = False) -> list[LabelledPicture]:
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(3):
        defect = ndimage.binary_dilation(rng.random((24, 32)) > 0.99, iterations=1)
        score = rng.normal(defect, 1.0).astype(np.float32)
        part = np.zeros_like(defect)
        part[4:20, 6:28] = True
        pictures.append(LabelledPicture(np.round(score) if ties else score, defect, part))
    return pictures


def _brute_force(pictures: list[LabelledPicture], limit: float) -> float:
    """Equation 1 at every score, straight lines between, cut at the limit."""
    labelled = [ndimage.label(p.defect, np.ones((3, 3))) for p in pictures]
    regions = [
        (p.score, labels == n)
        for p, (labels, count) in zip(pictures, labelled, strict=True)
        for n in range(1, count + 1)
    ]
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([p.score.ravel() for p in pictures]))[::-1]:
        overlaps = [np.mean(score[region] >= threshold) for score, region in regions]
        false = np.concatenate([p.score[~p.defect] >= threshold for p in pictures])
        points.append((false.mean(), float(np.mean(overlaps))))
    rates, values = np.array(points).T
    area = 0.0
    for (r0, v0), (r1, v1) in pairwise(zip(rates, values, strict=True)):
        if r0 < limit and r1 > r0:
            cut = min(r1, limit)
            v_cut = v0 + (v1 - v0) * (cut - r0) / (r1 - r0)
            area += (cut - r0) * (v0 + v_cut) / 2
    return area / limit


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (2, 3))]
)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_equals_brute_force(seed: int, ties: bool, limit: float) -> None:
    pictures = _pictures(seed, ties)
    assert pixel_aupro(pictures, limit) == pytest.approx(_brute_force(pictures, limit), abs=1e-9)


def test_the_curve_over_limits_is_one_area_per_limit() -> None:
    pictures = _pictures(1)
    found = aupro_over_limits(pictures, (0.05, 0.3))
    assert found == {limit: pytest.approx(pixel_aupro(pictures, limit)) for limit in (0.05, 0.3)}


def test_regions_that_touch_at_a_corner_are_one() -> None:
    defect = np.zeros((4, 4), np.bool_)
    defect[0, 0] = defect[1, 1] = True
    score = np.zeros((4, 4), np.float32)
    score[0, 0] = 1.0
    assert pixel_aupro([LabelledPicture(score, defect)], 0.1) == pytest.approx(0.5, abs=0.03)


def test_pixel_auroc_equals_the_share_of_ordered_pairs() -> None:
    pictures = _pictures(2, ties=True)
    bad = np.concatenate([p.score[p.defect] for p in pictures])
    good = np.concatenate([p.score[~p.defect] for p in pictures])
    pairs = (bad[:, None] > good) + 0.5 * (bad[:, None] == good)
    assert pixel_auroc(pictures) == pytest.approx(pairs.mean())


def test_the_background_does_not_flatter_a_segmentation_auroc() -> None:
    defect = np.zeros((40, 40), np.bool_)
    defect[20, 20] = True
    part = np.zeros_like(defect)
    part[18:23, 18:23] = True
    score = part.astype(np.float32)  # knows where the part is, nothing of the defect
    picture = LabelledPicture(score, defect, part)
    assert pixel_auroc([picture]) > 0.98
    assert segmentation_pixel_auroc([picture]) == pytest.approx(0.5)


def test_pictures_without_an_annotated_region_are_refused() -> None:
    nothing = LabelledPicture(np.zeros((3, 3), np.float32), np.zeros((3, 3), np.bool_))
    with pytest.raises(ValueError, match="annotated region"):
        pixel_aupro([nothing])


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        LabelledPicture(np.zeros((3, 3), np.float32), np.zeros((3, 4), np.bool_))


def test_shares_that_round_up_give_more_than_all_there_is() -> None:
    """Regions of 3, 7, 11, ... pixels, all found at once: their shares sum to a hair above 1."""
    defect = np.zeros((80, 160), np.bool_)
    for row in range(1, 79, 2):
        defect[row, : 4 * row % 151 + 3] = True
    score = defect.astype(np.float32)
    picture = LabelledPicture(score, defect)
    assert pixel_aupro([picture]) <= 1.0
    assert max(aupro_over_limits([picture]).values()) <= 1.0
