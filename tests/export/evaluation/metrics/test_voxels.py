"""The exact sweeps against brute force over every threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.export.evaluation.metrics.detection import (
    auroc,
    classification_auroc,
    instance_auroc,
    roc_curve,
)
from voxgate.export.evaluation.metrics.labelled_volume import (
    LabelledVolume,
    VoxelTruth,
    from_dense,
    label_volume,
)
from voxgate.export.evaluation.metrics.voxels import pro_curve, voxel_aupro

FPR_STEPS = 20_000  # brute force: one threshold for each of so many uniform rates


def _volume(scores: Sequence[float], ids: Sequence[int]) -> LabelledVolume:
    return LabelledVolume(np.array(scores, np.float32), np.array(ids, np.int16))


def _random_volumes(seed: int, ties: bool) -> list[LabelledVolume]:
    rng = np.random.default_rng(seed)
    volumes = []
    for _ in range(3):
        ids = rng.choice([0, 0, 0, 0, 1, 2], 200).astype(np.int16)
        scores = rng.normal(ids > 0, 1.0)
        if ties:
            scores = np.maximum(np.round(scores), 0)
        volumes.append(LabelledVolume(scores.astype(np.float32), ids))
    return volumes


def _brute_force(volumes: list[LabelledVolume], limit: float) -> float:
    """Equation 1 word for word, at FPR_STEPS uniform false positive rates up to the limit."""
    scores = np.concatenate([v.scores for v in volumes])
    sound = np.concatenate([v.scores[v.defect_ids == 0] for v in volumes])
    points = []
    for threshold in [np.inf, *np.unique(scores)[::-1]]:
        shares = [
            np.mean(v.scores[v.defect_ids == i] >= threshold)
            for v in volumes
            for i in np.unique(v.defect_ids[v.defect_ids > 0])
        ]
        points.append((np.mean(sound >= threshold), np.mean(shares)))
    rates, overlaps = (np.array(column) for column in zip(*points, strict=True))
    uniform = (np.arange(FPR_STEPS) + 0.5) / FPR_STEPS * limit
    reachable = np.searchsorted(rates, uniform, side="right") - 1
    return float(overlaps[reachable].mean())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("limit", [0.01, 0.3, 1.0])
def test_aupro_equals_brute_force(seed: int, ties: bool, limit: float) -> None:
    volumes = _random_volumes(seed, ties)
    assert voxel_aupro(volumes, limit) == pytest.approx(_brute_force(volumes, limit), abs=2e-3)


def test_a_perfect_volume_has_aupro_1() -> None:
    assert voxel_aupro([_volume([9, 9, 0, 0], [1, 2, 0, 0])]) == 1.0


def test_a_volume_without_scores_earns_nothing() -> None:
    assert voxel_aupro([_volume([0, 0, 0, 0], [1, 2, 0, 0])]) == 0.0


def test_every_defect_counts_alike_however_small() -> None:
    large_found = _volume([9] * 99 + [0] * 101, [1] * 99 + [2] + [0] * 100)
    assert voxel_aupro([large_found]) == pytest.approx(0.5)


def test_equal_ids_in_two_scans_are_two_defects() -> None:
    found, missed = _volume([9, 0], [1, 0]), _volume([0, 0], [1, 0])
    assert voxel_aupro([found, missed]) == pytest.approx(0.5)


def test_false_positives_of_one_scan_cost_the_whole_type() -> None:
    noisy = _volume([9.0] * 2 + [1.0] * 98, [0] * 100)
    assert voxel_aupro([noisy, _volume([5.0] + [0.0] * 99, [1] + [0] * 99)]) == 0.0


def test_scaling_of_scores_changes_nothing() -> None:
    volumes = _random_volumes(1, ties=False)
    scaled = [LabelledVolume(v.scores * 7, v.defect_ids) for v in volumes]
    assert voxel_aupro(scaled) == voxel_aupro(volumes)


def test_the_curve_rises_to_1_1() -> None:
    curve = pro_curve(_random_volumes(2, ties=True))
    assert (np.diff(curve.rate) >= 0).all()
    assert (np.diff(curve.value) >= 0).all()
    assert (curve.rate[-1], curve.value[-1]) == (pytest.approx(1.0), pytest.approx(1.0))


def test_only_voxels_with_matter_are_judged() -> None:
    every = np.argwhere(np.ones((4, 4, 4))).astype(np.int32)
    volume, where = label_volume(every, np.full(64, 9, np.float32), _truth(), (4, 4, 4))
    assert sorted(volume.defect_ids.tolist()) == [0, 3, 3]
    assert sorted(where.tolist()) == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_a_voxel_that_was_never_seen_scores_nothing() -> None:
    seen = np.array([[2, 2, 2], [3, 3, 3]], np.int32)
    volume, _ = label_volume(seen, np.array([7, 8], np.float32), _truth(), (4, 4, 4))
    assert volume.scores[volume.defect_ids == 3].tolist() == [0, 7]
    assert volume.scores[volume.defect_ids == 0].tolist() == [0]


def test_a_list_of_voxels_and_a_whole_grid_are_labelled_alike() -> None:
    rng = np.random.default_rng(0)
    dense = rng.random((5, 6, 7)).astype(np.float32)
    every = np.argwhere(dense >= 0).astype(np.int32)
    chosen = rng.permutation(every)
    truth = VoxelTruth(chosen[:90], chosen[80:100], np.repeat([1, 2], 10).astype(np.int16))
    listed, _ = label_volume(chosen, dense[tuple(chosen.T)], truth, (5, 6, 7))
    ids = np.full(dense.shape, -1, np.int16)
    ids[tuple(truth.surface_ijk.T)] = 0
    ids[tuple(truth.defect_ijk.T)] = truth.defect_ids
    masked = from_dense(dense, ids)
    assert voxel_aupro([listed], 1.0) == voxel_aupro([masked], 1.0)
    assert sorted(listed.scores.tolist()) == sorted(masked.scores.tolist())


def test_truth_outside_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the grid"):
        label_volume(np.zeros((0, 3), np.int32), np.zeros(0, np.float32), _truth(), (2, 2, 2))


def _truth() -> VoxelTruth:
    surface = np.array([[0, 0, 0], [1, 1, 1]], np.int32)
    defect = np.array([[1, 1, 1], [2, 2, 2]], np.int32)
    return VoxelTruth(surface, defect, np.array([3, 3], np.int16))


def test_a_nan_score_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        _volume([float("nan")], [0])


def test_volumes_without_a_defect_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one defect"):
        voxel_aupro([_volume([1, 2], [0, 0])])


def test_volumes_of_defects_only_are_refused() -> None:
    with pytest.raises(ValueError, match="no defect"):
        voxel_aupro([_volume([1, 2], [1, 1])])


@given(
    good=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    bad=st.lists(st.integers(0, 5), min_size=1, max_size=8),
)
def test_auroc_equals_the_share_of_ordered_pairs(good: list[int], bad: list[int]) -> None:
    scores = np.array([*good, *bad], np.float64)
    anomalous = np.array([False] * len(good) + [True] * len(bad))
    pairs = [1.0 if b > g else 0.5 if b == g else 0.0 for b in bad for g in good]
    assert instance_auroc(scores, anomalous) == pytest.approx(np.mean(pairs))
    assert classification_auroc(scores, anomalous) == auroc(scores, anomalous)
    assert roc_curve(scores, anomalous).area(1.0, "linear") == pytest.approx(np.mean(pairs))


def test_auroc_without_bad_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bad"):
        instance_auroc(np.array([1.0]), np.array([False]))
