"""Weights that keep a few wrong corners from pulling a fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

HUBER = 2.5  # in standard deviations; 98.8 % of good coordinates are below it
LEAST_NOISE_PX = 1e-4  # exact data would divide by zero


def noise_px(residuals: Array) -> float:
    """Robust standard deviation of residual coordinates (n, 2), px, by their median."""
    return max(LEAST_NOISE_PX, float(1.4826 * np.median(np.abs(residuals))))


def huber(residuals: Array, sigma_px: float) -> tuple[Array, float]:
    """Weights (n,) of points with residuals (n, 2), and the cost in squared sigmas.

    Huber's loss of the residual's length: quadratic within HUBER sigmas, linear beyond.
    """
    length = np.linalg.norm(residuals, axis=1) / sigma_px
    weights = np.minimum(1.0, HUBER / np.maximum(length, 1e-12))
    loss = np.where(length <= HUBER, length**2 / 2, HUBER * length - HUBER**2 / 2)
    return weights, float(loss.sum())
