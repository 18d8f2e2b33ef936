"""A coreset is greedy k-center's, whoever computes it."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.export.features.coreset import coreset, farthest_first, least_width, projected


def test_rows_are_taken_as_brute_force_takes_them() -> None:
    points = np.random.default_rng(2).standard_normal((300, 70)).astype(np.float32)
    taken = [5]
    while len(taken) < 40:
        apart = np.linalg.norm(points[:, None] - points[taken][None], axis=2).min(axis=1)
        taken.append(int(apart.argmax()))
    assert farthest_first(points, 40, 5).tolist() == taken


def test_the_projection_is_as_wide_as_scikit_learns() -> None:
    from sklearn.random_projection import johnson_lindenstrauss_min_dim

    for rows in (300, 5000, 145_000):
        assert least_width(rows, 0.9) == int(johnson_lindenstrauss_min_dim(rows, eps=0.9))


def test_distances_survive_the_projection() -> None:
    vectors = np.random.default_rng(0).standard_normal((200, 900)).astype(np.float32)
    small = projected(vectors, 0.5, np.random.default_rng(1))
    assert small.shape[1] < 900
    before = np.linalg.norm(vectors[:50] - vectors[50:100], axis=1)
    after = np.linalg.norm(small[:50] - small[50:100], axis=1)
    assert np.abs(after / before - 1).max() < 0.5


def test_the_same_seed_takes_the_same_rows_and_says_how_far_it_is() -> None:
    vectors = np.random.default_rng(0).standard_normal((1000, 40)).astype(np.float32)
    said: list[tuple[int, int, str]] = []
    first = coreset(vectors, 0.2, seed=3, on_progress=lambda *step: said.append(step))
    assert np.array_equal(first, coreset(vectors, 0.2, seed=3))
    assert len(set(first.tolist())) == 200
    assert said[-1][1] == 200


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        coreset(np.ones((3, 3), np.float32), 1.5)
