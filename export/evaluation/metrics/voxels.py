"""Segmentation of a part: voxel-level PRO (SiM3D, section 4.1, equation 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.labelled_volume import LabelledVolume
from voxgate.export.evaluation.metrics.sweep import Census, Curve, sweep

FPR_LIMIT = 0.01  # the integration bound of the paper: a line can inspect 1 % of the voxels again


def pro_curve(volumes: Sequence[LabelledVolume], limit: float = 1.0) -> Curve:
    """False positive rate against mean per-region overlap, at every threshold that changes it.

    The voxels of all volumes are pooled; the rate counts non-empty voxels only. Every distinct
    score is a point, so this is the limit of the paper's uniformly sampled rates. The volumes are
    passed through twice and may be read from disk each time: memory holds one of them and, with a
    `limit` below 1, what lies above the threshold of that rate. Source: SiM3D, section 4.1,
    equation 1. Raises ValueError without a defect or without a sound voxel.
    """
    census = Census()
    sizes = [census.add(volume.scores, volume.defect_ids) for volume in volumes]
    defects = sum(int(np.count_nonzero(size[1:])) for size in sizes)
    if defects == 0:
        raise ValueError("expected at least one defect among the volumes, got none")
    cutoff = census.cutoff(limit)
    kept = [_above(volume, size, cutoff) for volume, size in zip(volumes, sizes, strict=True)]
    scores, ids, gains = (np.concatenate(column) for column in zip(*kept, strict=True))
    return sweep(scores, ids == 0, gains / defects, census.total).of_shares()


def voxel_aupro(volumes: Sequence[LabelledVolume], fpr_limit: float = FPR_LIMIT) -> float:
    """V-AUPRO in [0, 1]: area under the PRO curve up to `fpr_limit`, over `fpr_limit`.

    Between two reachable false positive rates the overlap of the lower one holds: a tie of
    scores earns nothing by interpolation. Source: SiM3D, section 4.1.
    """
    return pro_curve(volumes, fpr_limit).area(fpr_limit)


def _above(
    volume: LabelledVolume, sizes: npt.NDArray[np.int64], cutoff: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int16], npt.NDArray[np.float64]]:
    """Scores, ids and overlap shares of the voxels at or above the cutoff."""
    at = np.flatnonzero(volume.scores >= cutoff)
    ids = volume.defect_ids[at]
    share = 1.0 / np.maximum(sizes, 1)
    share[0] = 0.0
    return volume.scores[at], ids, share[ids]
