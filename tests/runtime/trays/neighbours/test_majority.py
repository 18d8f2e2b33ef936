"""A mean, a majority or a patch is another than that of the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from voxgate.runtime.trays.neighbours.majority import TRUNCATE, gaussian, majority, median, patch


def some_known(share: float = 0.06) -> np.typing.NDArray[np.float32]:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(20, 18, 15)).astype(np.float32)
    values[rng.random(values.shape) > share] = np.nan
    values[:, :, 0] = 1.0  # on the border too
    return values


@pytest.mark.parametrize("sigma", [0.8, 1.0, 5.0])
def test_the_mean_of_what_is_known_around_is_another(sigma: float) -> None:
    values = some_known()
    known = np.isfinite(values)
    share, total = (
        ndimage.gaussian_filter(each.astype(np.float32), sigma, truncate=TRUNCATE)
        for each in (known, np.where(known, values, 0))
    )
    mean, found = gaussian(values, sigma)
    np.testing.assert_allclose(mean[known], total[known] / share[known], atol=1e-5)
    np.testing.assert_allclose(found[known], share[known], atol=1e-5)
    assert np.isnan(mean[~known]).all()


def test_the_median_of_what_is_known_is_another() -> None:
    fields = np.stack([np.roll(some_known(0.5), shift, axis=0) for shift in range(5)])
    with np.errstate(all="ignore"):
        expected = np.full(fields.shape[1:], np.nan)
        known = np.isfinite(fields).any(axis=0)
        expected[known] = np.nanmedian(fields[:, known], axis=0)
    np.testing.assert_allclose(median(fields), expected, atol=1e-6)


def test_one_odd_of_five_marks_the_others() -> None:
    fields = np.array([[0.1], [0.0], [0.05], [5.0], [-0.05]], np.float32)
    steady = np.ones(fields.shape, bool)
    off = [abs(float(majority(fields, steady, index)[0])) for index in range(5)]
    assert max(off[:3] + off[4:]) < 0.2
    assert off[3] > 4.8


def test_two_that_are_odd_alike_excuse_each_other() -> None:
    fields = np.array([[5.0], [5.0], [0.0], [0.1], [0.05]], np.float32)
    off = majority(fields, np.ones(fields.shape, bool), 0)
    assert abs(float(off[0])) > 4.5


def test_a_spike_is_a_patch() -> None:
    size = np.zeros((12, 12, 12), np.float32)
    size[3, 3, 3] = 9.0
    size[5:7, 5:7, 5:7] = 2.0
    assert patch(size) == 2.0
    assert patch(np.where(size > 2, size, 0)) == 0.0


@pytest.mark.parametrize("voxels", [4, 8])
def test_the_worst_patch_of_a_whole_grid_is_another(voxels: int) -> None:
    """By the pieces that are left at every height."""
    size = np.random.default_rng(3).random((18, 18, 18)).astype(np.float32)
    heights = np.sort(size.ravel())[::-1]
    pieces = (ndimage.label(size >= height, np.ones((3, 3, 3)))[0] for height in heights)
    counts = (np.bincount(piece.ravel())[1:].max() for piece in pieces)
    expected = next(h for h, n in zip(heights, counts, strict=True) if n >= voxels)
    assert patch(size, voxels) == pytest.approx(float(expected))


def test_thousands_of_spikes_hide_what_hangs_together() -> None:
    size = np.full((31, 31, 31), 0.5, np.float32)
    size[::2, ::2, ::2] = 5.0  # none touches another
    assert patch(size) == 0.5
