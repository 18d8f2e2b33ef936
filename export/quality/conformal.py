"""What k good parts prove about the next one, whatever law their scores follow.

If the parts are exchangeable, the next good part's score is as likely to fall into any of the k + 1
gaps between the k seen (Vovk et al., 2005, split conformal prediction): it exceeds the m-th
largest with probability at most m / (k + 1). Nothing smaller than 1 / (k + 1) can be proven.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def least_rate(parts: int) -> float:
    """The smallest false reject rate that so many independent good parts can prove."""
    return 1.0 / (parts + 1)


def parts_needed(rate: float) -> int:
    """How many good parts prove a false reject rate."""
    return math.ceil(1.0 / rate - 1e-9) - 1


def conformal_threshold(scores: Sequence[float], rate: float) -> float | None:
    """The score that the next good part exceeds with probability at most `rate`; None: too few.

    A part at the threshold itself is rejected, so this is the seen score to stay above.
    """
    allowed = math.floor(rate * (len(scores) + 1) + 1e-9)
    return sorted(scores, reverse=True)[allowed - 1] if allowed >= 1 else None


def proven_rate(scores: Sequence[float], threshold: float) -> float:
    """The false reject rate that the seen scores prove for a threshold; 1 without a score."""
    return (sum(score >= threshold for score in scores) + 1) / (len(scores) + 1)


def rate_with_confidence(scores: Sequence[float], threshold: float, confidence: float) -> float:
    """Upper bound of the false reject rate that holds with this confidence over all samples.

    Clopper-Pearson: `proven_rate` is a mean over samples; this bounds the one at hand.
    """
    from scipy import stats

    count, over = len(scores), sum(score >= threshold for score in scores)
    if over == count:
        return 1.0
    return float(stats.beta.ppf(confidence, over + 1, count - over))
