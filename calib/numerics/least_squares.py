"""Least squares with unknowns that all views share and six that each view has alone.

The normal equations have the shape of an arrow: the views' own blocks are eliminated one by one
(Schur complement), so that the cost grows with the number of views and not with its cube.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
State = TypeVar("State")

ITERATIONS = 60
DAMPING = 1e-6
MAX_DAMPING = 1e8
OPEN = 1e-14  # of the stiffest direction: below it rounding decides
FEWEST_VIEWS = 4
CHANCES = 40
LEAST_BY_CHANCE = 0.05
TRUSTED = (
    1.0  # views per unknown at which the views' own spread counts half, direction by direction
)
LEAST_RATIO = 0.7  # so many views cannot tell that the model claims too much
SETTLED = 1e-9  # relative fall of the cost at which nothing more is gained


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """Normal equations at one state, of half the weighted squares `cost`.

    shared (s, s) and shared_slope (s,); own (v, 6, 6) and own_slope (v, 6); cross (v, s, 6).
    parts (v, s, s) and part_slopes (v, s): what each view adds to the shared ones.
    """

    cost: float
    shared: Array
    shared_slope: Array
    own: Array
    own_slope: Array
    cross: Array
    parts: Array
    part_slopes: Array


def minimise(
    linearise: Callable[[State], System],
    move: Callable[[State, Array, Array], State],
    start: State,
    iterations: int = ITERATIONS,
) -> tuple[State, System]:
    """Levenberg-Marquardt: the state at the minimum and its normal equations."""
    state, system = start, linearise(start)
    damping = DAMPING
    for _ in range(iterations):
        tried, after = state, system
        while damping < MAX_DAMPING:
            tried = move(state, *gauss_newton(system, damping))
            after = linearise(tried)
            if after.cost <= system.cost:
                break
            damping *= 10
        else:
            return state, system
        fell = system.cost - after.cost
        state, system = tried, after
        damping = max(damping / 10, 1e-12)
        if fell <= SETTLED * (system.cost + 1e-12):
            break
    return state, system


def covariances(system: System) -> tuple[Array, Array]:
    """Of the shared unknowns (s, s) and of each view's own ones (v, 6, 6), all of them free.

    A direction that the data leave open has a huge variance. Raises numpy.linalg.LinAlgError where
    a view's own six are not determined at all.
    """
    by_view = np.linalg.solve(system.own, np.swapaxes(system.cross, 1, 2))  # (v, 6, s)
    shared = _inverse(system.shared - np.einsum("vsi,vit->st", system.cross, by_view))
    own = np.linalg.inv(system.own) + np.einsum("vis,st,vjt->vij", by_view, shared, by_view)
    return shared, own


def by_views(system: System, model: Array, blocks: Sequence[slice]) -> Array:
    """Covariance (s, s) of the shared unknowns as the views themselves show it, beside that of the
    model, which takes every point for independent.

    Each view is left out in turn (the jackknife, one Gauss-Newton step): a blurred picture, a board
    that bends when it is held, a robot that errs more here than there are one error, not a hundred.
    blocks: unknowns that are asked about together. Where the views of one differ by no more than
    chance would have it, the model stands.
    """
    count = len(system.part_slopes)
    if count < FEWEST_VIEWS:
        return model
    steps = _without_each(system)
    wider = np.eye(len(model))
    for block in blocks:
        own = steps[:, block]
        wider[block, block] = _wider(model[block, block], (count - 1) / count * own.T @ own, count)
    widened: Array = wider @ model @ wider.T
    return widened


def _wider(model: Array, spread: Array, count: int) -> Array:
    """(s, s) that takes errors as the model has them to errors as the views have them."""
    size = len(model)
    root = np.linalg.cholesky(_symmetric(model))
    seen = np.linalg.solve(root, np.linalg.solve(root, spread).T)
    ratios, axes = np.linalg.eigh(_symmetric(seen))
    ratios = ratios / _by_chance(size, count)
    trust = count / (count + TRUSTED * size)
    found = np.maximum(trust * ratios + (1 - trust) * float(ratios.mean()), LEAST_RATIO)
    stretched: Array = root @ (axes * np.sqrt(found)) @ axes.T @ np.linalg.inv(root)
    return stretched


@lru_cache(maxsize=32)
def _by_chance(size: int, count: int) -> Array:
    """(s,) eigenvalues, least first, of the jackknife's covariance over the true one, where `count`
    independent views differ by chance alone: spread apart, and larger than 1 in the mean."""
    generator = np.random.default_rng(1)
    draws = generator.normal(size=(CHANCES, count, size))
    square = np.einsum("cvi,cvj->cij", draws, draws) / count
    expected: Array = np.linalg.eigvalsh(square).mean(axis=0)
    return np.maximum(expected, LEAST_BY_CHANCE)


def _without_each(system: System) -> Array:
    """(v, s) how the shared unknowns move when one view is left out."""
    by_view = np.linalg.solve(system.own, np.swapaxes(system.cross, 1, 2))
    gain = np.linalg.solve(system.own, system.own_slope[..., None])[..., 0]
    reduced = system.shared - np.einsum("vsi,vit->st", system.cross, by_view)
    parts = system.parts - system.cross @ by_view
    slopes = system.part_slopes - np.einsum("vsi,vi->vs", system.cross, gain)
    scale = 1 / np.sqrt(np.maximum(np.diag(reduced), 1e-300))
    left = (reduced - parts) * scale[:, None] * scale
    steps = [
        np.linalg.lstsq(a, b * scale, rcond=OPEN)[0] for a, b in zip(left, slopes, strict=True)
    ]
    return np.array(steps) * scale


def _symmetric(matrix: Array) -> Array:
    return np.asarray((matrix + matrix.T) / 2)


def _inverse(matrix: Array) -> Array:
    """Of a positive matrix whose unknowns have very different units."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    size, axes = np.linalg.eigh(matrix * scale[:, None] * scale[None, :])
    size = np.maximum(size, OPEN * size[-1])
    inverted: Array = (axes / size) @ axes.T * scale[:, None] * scale[None, :]
    return inverted


def gauss_newton(system: System, damping: float = 0.0) -> tuple[Array, Array]:
    """The step to the minimum: of the shared unknowns (s,) and of the views' own (v, 6)."""
    own = _damped(system.own, damping)
    shared = _damped(system.shared, damping)
    by_view = np.linalg.solve(own, np.swapaxes(system.cross, 1, 2))
    gain = np.linalg.solve(own, system.own_slope[..., None])[..., 0]
    reduced = shared - np.einsum("vsi,vit->st", system.cross, by_view)
    slope = system.shared_slope - np.einsum("vsi,vi->s", system.cross, gain)
    scale = 1 / np.sqrt(np.maximum(np.diag(shared), 1e-300))
    scaled = reduced * scale[:, None] * scale[None, :]
    found = -scale * np.linalg.lstsq(scaled, slope * scale, rcond=1e-14)[0]
    return found, -gain - np.einsum("vis,s->vi", by_view, found)


def _damped(blocks: Array, damping: float) -> Array:
    diagonal = np.einsum("...ii->...i", blocks)
    added = damping * np.maximum(diagonal, 1e-12)
    damped: Array = blocks + added[..., None] * np.eye(blocks.shape[-1])
    return damped


def normal_equations(
    by_shared: Array,
    by_own: Array,
    residuals: Array,
    information: Array,
    starts: npt.NDArray[np.intp],
    cost: float,
) -> System:
    """From derivatives (n, 2, s) and (n, 2, 6), residuals (n, 2) and weights (n,) of n points.

    The points stand view by view; `starts`: each view's first.
    """
    count, size = len(starts), by_shared.shape[2]
    rows = np.concatenate([by_shared, by_own, residuals[..., None]], axis=2)
    rows = (rows * np.sqrt(information)[:, None, None]).reshape(-1, size + 7)
    ends = np.append(starts[1:], len(residuals))
    blocks = np.empty((count, size + 7, size + 7))
    for view, (start, end) in enumerate(zip(starts, ends, strict=True)):
        own = rows[2 * start : 2 * end]
        blocks[view] = own.T @ own
    total = blocks.sum(axis=0)
    return System(
        cost=cost if np.isfinite(cost) else np.inf,
        shared=total[:size, :size],
        shared_slope=total[:size, -1],
        own=blocks[:, size:-1, size:-1],
        own_slope=blocks[:, size:-1, -1],
        cross=blocks[:, :size, size:-1],
        parts=blocks[:, :size, :size],
        part_slopes=blocks[:, :size, -1],
    )
