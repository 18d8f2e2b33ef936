"""The two figures of the SiM3D benchmark: instance AUROC and voxel AUPRO (SiM3D, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FPR_LIMIT = 0.01  # the integration bound of the paper: a line can inspect 1 % of the voxels again


@dataclass(frozen=True, slots=True)
class LabelledVolume:
    """The voxels of one test scan that hold matter (surface or ground truth), in any order.

    scores: (n,) float32, what the detector says; an unseen voxel scores 0.
    defect_ids: (n,) int16, 0 where the voxel is no defect.
    """

    scores: NDArray[np.float32]
    defect_ids: NDArray[np.int16]

    def __post_init__(self) -> None:
        if self.scores.ndim != 1 or self.scores.shape != self.defect_ids.shape:
            raise ValueError(
                f"expected scores and defect_ids of one shape (n,), "
                f"got {self.scores.shape} and {self.defect_ids.shape}"
            )
        if not np.isfinite(self.scores).all():
            raise ValueError("expected finite scores, got NaN or infinity")


def label_volume(
    scores: NDArray[np.float32],
    surface_ijk: NDArray[np.int32],
    defect_ijk: NDArray[np.int32],
    defect_ids: NDArray[np.int16],
) -> LabelledVolume:
    """Pick the non-empty voxels of a scan out of a score volume (X, Y, Z).

    surface_ijk (n, 3) and defect_ijk (m, 3) are voxel indices; a voxel in both is a defect.
    """
    ids = np.full(scores.shape, -1, np.int16)
    ids[tuple(surface_ijk.T)] = 0
    ids[tuple(defect_ijk.T)] = defect_ids
    filled = ids >= 0
    return LabelledVolume(scores[filled].astype(np.float32), ids[filled])


def pro_weights(volumes: Sequence[LabelledVolume]) -> NDArray[np.float64]:
    """Weight of each voxel in the mean overlap: 1 / (defects * voxels of its defect), else 0."""
    shares = [_overlap_shares(volume.defect_ids) for volume in volumes]
    defects = sum(np.unique(volume.defect_ids[volume.defect_ids > 0]).size for volume in volumes)
    if defects == 0:
        raise ValueError("expected at least one defect among the volumes, got none")
    return np.concatenate(shares) / defects


def _overlap_shares(defect_ids: NDArray[np.int16]) -> NDArray[np.float64]:
    sizes = np.bincount(defect_ids)
    return np.where(defect_ids > 0, 1.0 / np.maximum(sizes, 1)[defect_ids], 0.0)


def pro_curve(
    volumes: Sequence[LabelledVolume],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(false positive rate, mean per-region overlap) at every distinct score, highest first.

    The voxels of all volumes are pooled and every threshold that changes anything is a point,
    so this is the limit of the paper's uniformly sampled rates.
    Raises ValueError without a defect or without a sound voxel.
    """
    scores = np.concatenate([volume.scores for volume in volumes])
    sound = np.concatenate([volume.defect_ids for volume in volumes]) == 0
    if not sound.any():
        raise ValueError("expected at least one voxel that is no defect, got none")
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    rate = np.cumsum(sound[order])[last_of_tie] / sound.sum()
    overlap = np.cumsum(pro_weights(volumes)[order])[last_of_tie]
    return rate, overlap


def voxel_aupro(volumes: Sequence[LabelledVolume], fpr_limit: float = FPR_LIMIT) -> float:
    """V-AUPRO in [0, 1]: area under the PRO curve up to `fpr_limit`, over `fpr_limit`.

    Between two reachable false positive rates the overlap of the lower one holds: a tie of
    scores earns nothing by interpolation. Source: SiM3D, section 4.1, equation 1.
    """
    rate, overlap = pro_curve(volumes)
    edges = np.minimum(np.append(rate, max(fpr_limit, 1.0)), fpr_limit)
    return float(np.sum(np.diff(edges) * overlap) / fpr_limit)


def instance_auroc(scores: NDArray[np.float64], anomalous: NDArray[np.bool_]) -> float:
    """I-AUROC in [0, 1]: chance that a bad part outscores a good one, ties counting one half.

    scores (n,) and anomalous (n,): one entry per instance. Raises ValueError without both kinds.
    """
    bad, good = scores[anomalous], scores[~anomalous]
    if bad.size == 0 or good.size == 0:
        raise ValueError(f"expected good and bad parts, got {good.size} good and {bad.size} bad")
    difference = bad[:, None] - good[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))
