"""Smooth: places are ranked by what their surface says, and no verdict changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.smooth import LEAST_FILLED, PLANE_SHARE, SIGMA_VOXELS, smooth
from voxgate.runtime.volume.volume import Voxels

SHAPE = (9, 9, 9)
GRID = GridSpec((0.0, 0.0, 0.0), SHAPE, 2.0)
Dense = npt.NDArray[np.float32]


def _voxels(score: Dense, occupied: npt.NDArray[np.bool_]) -> Voxels:
    ijk = np.argwhere(occupied).astype(np.int32)
    ones = np.ones(len(ijk), np.int32)
    return Voxels(ijk, score[occupied], ones, np.arange(len(ijk), dtype=np.int32))


def _dense(voxels: Voxels) -> Dense:
    score = np.zeros(SHAPE, np.float32)
    score[tuple(voxels.ijk.T)] = voxels.score
    return score


def _plane(level: float) -> tuple[Dense, npt.NDArray[np.bool_]]:
    """A face of the part, one voxel thick, that scores `level` everywhere."""
    occupied = np.zeros(SHAPE, np.bool_)
    occupied[:, :, 4] = True
    return np.where(occupied, np.float32(level), np.float32(0)), occupied


random_volumes = given(seed=st.integers(0, 2**32 - 1), density=st.floats(0.05, 0.6))


@settings(max_examples=30, deadline=None)
@random_volumes
def test_what_is_over_the_threshold_is_what_it_was(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    fused = _voxels(rng.gamma(2.0, 0.4, SHAPE).astype(np.float32), rng.random(SHAPE) < density)
    ranked = smooth(fused, GRID)
    before, after = fused.score >= 1.0, ranked.score >= 1.0
    np.testing.assert_array_equal(ranked.ijk[after], fused.ijk[before])
    np.testing.assert_array_equal(ranked.score[after], fused.score[before])


@settings(max_examples=30, deadline=None)
@random_volumes
def test_means_are_those_of_a_convolved_box(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.0, 0.99, SHAPE).astype(np.float32)
    occupied = rng.random(SHAPE) < density

    def sums(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        blurred = values.astype(np.float64)
        for axis in range(3):
            profile = np.exp(-0.5 * (np.array([-1, 0, 1]) / SIGMA_VOXELS) ** 2)
            blurred = ndimage.correlate1d(blurred, profile, axis, mode="constant")
        return np.asarray(blurred)

    weight = sums(occupied.astype(np.float64))
    mean = np.sqrt(sums((score * occupied) ** 2) / np.maximum(weight, 1e-9))
    plane = PLANE_SHARE * (1 + 2 * np.exp(-0.5 / SIGMA_VOXELS**2)) ** 3
    filled = mean * np.minimum(1, weight / plane)
    want = np.where(occupied, mean, np.where(filled >= LEAST_FILLED, filled, 0))
    want[np.unravel_index(np.argmax(score * occupied), SHAPE)] = (score * occupied).max()
    unsure = ~occupied & (np.abs(filled - LEAST_FILLED) < 1e-5)
    got = _dense(smooth(_voxels(score, occupied), GRID))
    np.testing.assert_allclose(got[~unsure], want[~unsure], atol=1e-5)


def test_a_face_that_is_off_ranks_before_a_voxel_that_is_noisy() -> None:
    score, occupied = _plane(0.2)
    score[4, 4, 4] = 0.9
    score[0, 0, 4] = 0.91
    noisy = _dense(smooth(_voxels(score, occupied), GRID))[4, 4, 4]
    face = _dense(smooth(_voxels(*_plane(0.6)), GRID))[4, 4, 4]
    assert noisy < face == pytest.approx(0.6)


@settings(max_examples=30, deadline=None)
@random_volumes
def test_the_largest_score_is_still_the_parts(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.0, rng.choice([0.7, 3.0]), SHAPE).astype(np.float32)
    fused = _voxels(score, rng.random(SHAPE) < density)
    assert smooth(fused, GRID).score.max() == fused.score.max()


def test_a_voxel_that_a_loud_surface_grazes_is_not_silent() -> None:
    ranked = smooth(_voxels(*_plane(0.9)), GRID)
    beside = _dense(ranked)[4, 4]
    assert 0.3 < beside[3] == pytest.approx(beside[5])
    assert beside[3] < beside[4]
    assert not beside[[2, 6]].any()
    assert (ranked.hits[ranked.ijk[:, 2] != 4] == 0).all()


def test_a_volume_that_fills_its_grid_stays_inside_it() -> None:
    everywhere = np.full(SHAPE, 0.7, np.float32)
    everywhere[0, 0, 0] = 0.0
    ranked = smooth(_voxels(everywhere, everywhere > 0), GRID)
    assert (ranked.ijk >= 0).all()
    assert (ranked.ijk < SHAPE).all()
    order = np.ravel_multi_index(tuple(ranked.ijk.T), SHAPE)
    assert (np.diff(order) > 0).all()


def test_an_empty_volume_stays_empty() -> None:
    assert not len(smooth(_voxels(*_plane(0.0)[:1], np.zeros(SHAPE, np.bool_)), GRID).ijk)
