"""Figures over parts, against counting."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.export.evaluation.metrics.detection import fpr_at_tpr


def test_false_positives_are_counted_at_another_rate_than_95() -> None:
    """20 bad parts: the one lowest may be missed; good parts at and above the next are counted."""
    bad = np.arange(20, dtype=float) + 10
    good = np.array([0.0, 9.0, 10.94, 10.96, 30.0])
    scores, labels = np.concatenate([good, bad]), np.repeat([False, True], [5, 20])
    assert fpr_at_tpr(scores, labels) == pytest.approx(2 / 5)  # the quantile is 10.95
    assert fpr_at_tpr(-scores, ~labels) == pytest.approx(np.mean(-bad >= np.quantile(-good, 0.05)))
    assert fpr_at_tpr(labels.astype(float), labels) == 0.0


def test_parts_of_one_kind_have_a_rate() -> None:
    with pytest.raises(ValueError, match="expected good and bad"):
        fpr_at_tpr(np.array([1.0, 2.0]), np.array([True, True]))
