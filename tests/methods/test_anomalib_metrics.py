"""Our 2D metrics against anomalib's own, to 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from anomalib.metrics.aupro import _AUPRO
from anomalib.metrics.auroc import _AUROC
from scipy import ndimage

from voxgate.export.evaluation.metrics.pixels import LabelledPicture, pixel_aupro, pixel_auroc


def _pictures(seed: int) -> list[LabelledPicture]:
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(4):
        defect = ndimage.binary_dilation(rng.random((48, 64)) > 0.998, iterations=2)
        # 64 levels: sums of float32, as anomalib's, stay exact enough to compare
        score = np.round(rng.normal(1.5 * defect, 1.0) * 8).astype(np.float32) / 64
        pictures.append(LabelledPicture(score, defect))
    return pictures


def _tensors(pictures: list[LabelledPicture]) -> tuple[torch.Tensor, torch.Tensor]:
    scores = torch.from_numpy(np.stack([picture.score for picture in pictures]))
    masks = torch.from_numpy(np.stack([picture.defect for picture in pictures]).astype(np.int64))
    return scores, masks


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_is_anomalibs(seed: int, limit: float) -> None:
    pictures = _pictures(seed)
    theirs = _AUPRO(fpr_limit=limit)
    theirs.update(*_tensors(pictures))
    assert pixel_aupro(pictures, limit) == pytest.approx(float(theirs.compute()), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_pixel_auroc_is_anomalibs(seed: int) -> None:
    pictures = _pictures(seed)
    theirs = _AUROC()
    scores, masks = _tensors(pictures)
    theirs.update(torch.sigmoid(scores).flatten(), masks.flatten())
    assert pixel_auroc(pictures) == pytest.approx(float(theirs.compute()), abs=1e-6)
