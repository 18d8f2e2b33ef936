"""Is the part bad? Areas under the ROC curve, over parts, pictures or pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.sweep import Curve, sweep

Scores = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


def auroc(scores: Scores, anomalous: Mask) -> float:
    """Chance that a bad element outscores a good one, ties counting one half; in [0, 1].

    scores and anomalous: one entry per element, any shape. Exact, by ranks (Mann-Whitney).
    Raises ValueError without both kinds, or for a score that is no number.
    """
    flat, bad = np.ravel(scores), np.ravel(anomalous)
    _check(flat, bad)
    count = int(bad.sum())
    return float(
        (_ranks(flat)[bad].sum() - count * (count + 1) / 2) / (count * (flat.size - count))
    )


def instance_auroc(scores: Scores, anomalous: Mask) -> float:
    """I-AUROC: a part's score is the maximum of its anomaly volume.

    scores (n,), anomalous (n,): one entry per instance. Source: SiM3D, section 4.1 and 4.2.
    """
    return auroc(scores, anomalous)


def classification_auroc(scores: Scores, anomalous: Mask) -> float:
    """Cl. AUROC: the classifier's output per picture or part against its label.

    Source: SegAD, section 4 and tables 2 and 3 of the supplement.
    """
    return auroc(scores, anomalous)


def fpr_at_tpr(scores: Scores, anomalous: Mask, tpr: float = 0.95) -> float:
    """FPR@95TPR: share of good elements that reach the score which all but 5 % of the bad ones do.

    That score is the bad ones' quantile, between two of them on a straight line. Source: SegAD,
    its published code. Raises ValueError without both kinds.
    """
    flat, bad = np.ravel(scores), np.ravel(anomalous)
    _check(flat, bad)
    return float((flat[~bad] >= np.quantile(flat[bad], 1 - tpr)).mean())


def roc_curve(scores: Scores, anomalous: Mask) -> Curve:
    """False positive rate against true positive rate, at every distinct score.

    Raises ValueError without both kinds.
    """
    flat, bad = np.ravel(scores).astype(np.float32), np.ravel(anomalous)
    _check(flat, bad)
    return sweep(flat, ~bad, bad / bad.sum())


def _ranks(scores: Scores) -> npt.NDArray[np.float64]:
    """Rank of each score from 1; equal ones share the middle of theirs."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    middle: npt.NDArray[np.float64] = np.cumsum(count) - (count - 1) / 2
    return middle[place]


def _check(scores: Scores, anomalous: Mask) -> None:
    if scores.shape != anomalous.shape:
        raise ValueError(f"expected one label per score, got {scores.shape}, {anomalous.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("expected finite scores, got NaN or infinity")
    bad = int(anomalous.sum())
    if bad == 0 or bad == anomalous.size:
        raise ValueError(f"expected good and bad parts, got {anomalous.size - bad} good, {bad} bad")
