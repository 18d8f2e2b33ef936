"""Corners of a chequerboard as far as they are seen: a lattice that grows from a few, corner by
corner, wherever squares cross at the place where the next one must be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.calib.board.chequerboard import (
    CROSSED,
    WANDERED,
    Grey,
    crossing_at,
    refined_near,
    usual_crossing,
)
from voxgate.calib.numerics.least_squares import Array

EVEN = 1.35  # one side of a square over the next: a row that is left out makes it two
MOST_STEPS = 100  # of growth: no board has so many rows
SIDES = tuple((axis, sign) for axis in (0, 1) for sign in (1, -1))


def grown(image: Grey, seed: Array) -> Array:
    """(r, c, 2) px around a seed of 3 x 3 corners; NaN where no corner is seen."""
    lattice = seed
    usual = usual_crossing(image, seed)
    for _ in range(MOST_STEPS):
        wider = np.pad(lattice, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
        if not _add(image, wider, usual):
            break
        lattice = _trimmed(wider)
    return lattice


def seen(lattice: Array) -> npt.NDArray[np.bool_]:
    """(r, c) where a corner is."""
    return np.asarray(np.isfinite(lattice[..., 0]))


def steps(lattice: Array) -> tuple[Array, Array]:
    """(r, c, 2) to the next corner down and across, of every corner and of those beside them."""
    return _steps(lattice, 0), _steps(lattice, 1)


def alike(one_px: Array, other_px: Array) -> npt.NDArray[np.bool_]:
    """Whether sides of neighbouring squares are of about one length."""
    return np.asarray((one_px < EVEN * other_px) & (other_px < EVEN * one_px))


def mean(stack: Array) -> Array:
    """Over the first axis, of what is finite; NaN where nothing is."""
    finite = np.isfinite(stack)
    count = finite.sum(axis=0)
    total = np.where(finite, stack, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _add(image: Grey, lattice: Array, usual: float) -> bool:
    """Write into the lattice what is found beside it. False where nothing is."""
    expected = _expected(lattice)
    down, across = steps(lattice)
    free = ~seen(lattice) & np.isfinite(expected[..., 0] + down[..., 0] + across[..., 0])
    at, one, other = expected[free], down[free], across[free]
    crossing = crossing_at(image, at, one, other)
    good = np.isfinite(crossing) & (np.nan_to_num(crossing) > CROSSED * usual)
    if not good.any():
        return False
    side_px = np.minimum(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))[good]
    refined = refined_near(image, at[good], float(side_px.min()))
    near = np.linalg.norm(refined - at[good], axis=1) < WANDERED * side_px
    rows, columns = (each[good][near] for each in np.nonzero(free))
    lattice[rows, columns] = refined[near]
    return bool(near.any())


def _expected(lattice: Array) -> Array:
    """(r, c, 2) where each corner would be, by those beside it: what perspective and lens do to a
    step goes on."""
    guesses = []
    for axis, sign in SIDES:
        first, second, third = (_shifted(lattice, axis, sign * by) for by in (1, 2, 3))
        straight, before = first - second, second - third
        curved = 2 * straight - before
        steady = alike(np.linalg.norm(curved, axis=2), np.linalg.norm(straight, axis=2))
        guesses.append(first + np.where(steady[..., None], curved, straight))
    return mean(np.array(guesses))


def _steps(lattice: Array, axis: int) -> Array:
    behind = lattice - _shifted(lattice, axis, 1)
    ahead = _shifted(lattice, axis, -1) - lattice
    own = mean(np.array([behind, ahead]))
    beside = mean(np.array([_shifted(own, along, sign) for along, sign in SIDES]))
    return np.where(np.isfinite(own), own, beside)


def _shifted(lattice: Array, axis: int, by: int) -> Array:
    """What stands `by` places before along the axis; NaN beyond the end."""
    moved = np.full_like(lattice, np.nan)
    count = lattice.shape[axis] - abs(by)
    if count > 0:
        to, start = max(by, 0), max(-by, 0)
        target, source = np.moveaxis(moved, axis, 0), np.moveaxis(lattice, axis, 0)
        target[to : to + count] = source[start : start + count]
    return moved


def _trimmed(lattice: Array) -> Array:
    """Without empty rows and columns at its rim."""
    rows, columns = (np.flatnonzero(seen(lattice).any(axis=axis)) for axis in (1, 0))
    return lattice[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
