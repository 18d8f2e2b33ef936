"""What the instances look like, held against each other: prints that lack, marks and stains.

The grey value of every voxel of the surface is the median over the views that see it, and so are
red and blue over it where pictures are in colour. Light falls
otherwise on an instance that is turned otherwise, and along an edge a pixel sees two faces: there
little is believed. What depends on the direction of the surface is
fitted over all instances and taken out (nine spherical harmonics: Ramamoorthi and Hanrahan, 2001).
What is left is compared as shape is, grey in logarithms: 0.1 is a tenth brighter, or redder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.trays.kernels.look import add_look
from voxgate.runtime.trays.neighbours.majority import (
    LEAST_OTHERS,
    gaussian,
    majority,
    median,
    patch,
)
from voxgate.runtime.trays.neighbours.settling import Common
from voxgate.runtime.trays.neighbours.shape import smoothness
from voxgate.runtime.trays.surface import Field, Grid, Mask, Prepared, Surface

Values = npt.NDArray[np.float64]

GREY, HUES = 0, 2
NEAR_VOXELS = 1.0  # of the depth that the view measured there: else something stands before it
LEAST_SEEN = 2  # views of a voxel: a glint is in one
ROBUST = 2.0  # scatters, of the weights of the light's fit
LIGHT_STEPS = 8
WAVE_VOXELS = 6.0  # shade of neighbours and of the part's own walls is softer than a mark
WAVE_BELIEVED = 0.15
SMOOTH_VOXELS = 0.8
CONTRAST_BELIEVED = 0.25  # where the print itself steps by more, a little misplacement is a mark
LIMIT_SCATTERS = 14.0
LEAST_SCATTER = 0.012
MOST_SCATTER = 2.0  # times what is usual among the instances
# Of 50 regular parts of seven types four voxels that hang together reach 0.67 of the limit.
SPECK_VOXELS = 4
LEVELS_APART = WAVE_BELIEVED + LIMIT_SCATTERS * LEAST_SCATTER  # more is no shade on a whole part
NO_COLOUR = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class LookDifference:
    """One instance against its neighbours, in grey or one of two hues. deviation: (k, m, n) of the
    logarithm of the grey value, + where it is brighter, or of red or blue over it; 0 where nothing
    is said; limit: of a score of 1; least: voxels that must reach it together; compared: share of
    the neighbours' looks that could be compared."""

    deviation: Field
    limit: float
    least: int
    score: float
    compared: float


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One instance against its neighbours. hues: red and blue; none of grey pictures. levels: how
    much brighter, redder and bluer all of it is than they are together."""

    grey: LookDifference
    hues: tuple[LookDifference, ...]
    levels: tuple[float, ...]

    @property
    def score(self) -> float:
        """An instance is as odd as the worst of them says."""
        return max(each.score for each in (self.grey, *self.hues))

    @property
    def compared(self) -> float:
        """Of the least of them."""
        return min(each.compared for each in (self.grey, *self.hues))


def look_differences(
    surfaces: Sequence[Surface],
    worlds: Sequence[Transform],
    views: Sequence[Prepared],
    rays: Rays,
    grid: Grid,
    least: int = SPECK_VOXELS,
) -> tuple[Look, ...]:
    """Every instance, at least three, against the others. worlds: world_from_grid of each. least:
    voxels that must differ together."""
    common, where = _common_surface(surfaces, grid)
    normals = _normals(common, where)
    points = grid.centres_mm(where) - common[tuple(where.T)][:, None] * normals
    turned = [normals @ world[:3, :3].T for world in worlds]
    off = _off(surfaces, Common.of(common, grid), points)
    looks = np.stack(
        [
            _seen(apply(world, points - each), facing, views, rays, grid)
            for world, facing, each in zip(worlds, turned, off, strict=True)
        ],
        axis=1,
    )
    lit = np.stack([_without_light(look, turned) for look in looks])
    fields = np.full((*lit.shape[:2], *grid.shape), np.nan, np.float32)
    fields[:, :, where[:, 0], where[:, 1], where[:, 2]] = lit
    belief = _belief(fields[GREY]) * smoothness(common, grid)
    grey = _compared_by(fields[GREY], np.isfinite(lit[GREY]), belief, least, unknown=0.0)
    hues = [  # black has no hue, and a part may be black
        _compared_by(own, np.isfinite(seen), belief * _belief(own), least, unknown=1.0)
        for own, seen in zip(fields[GREY + 1 :], lit[GREY + 1 :], strict=True)
    ]
    levels = zip(*map(_levels, lit), strict=True)
    return tuple(
        Look(own, tuple(of_hue), level)
        for own, level, *of_hue in zip(grey, levels, *hues, strict=True)
    )


def _compared_by(
    fields: Field, told: Mask, belief: Field, least: int, unknown: float
) -> list[LookDifference]:
    """Each of (k, ...) against the others, where it is believed. told: (k, n) where it is known;
    unknown: how much counts as compared where nothing is."""
    off = [_deviation(fields, index) for index in range(len(fields))]
    deviations = [belief * each for each in off]
    scatters = [_scatter(each, belief) for each in off]
    usual = float(np.median(scatters))
    limits = [
        LIMIT_SCATTERS * float(np.hypot(min(each, MOST_SCATTER * usual), LEAST_SCATTER))
        for each in scatters
    ]
    return [
        LookDifference(
            deviation,
            limit,
            least,
            patch(np.abs(deviation), least) / limit,
            _compared(told, index, unknown),
        )
        for index, (deviation, limit) in enumerate(zip(deviations, limits, strict=True))
    ]


def _off(surfaces: Sequence[Surface], agreed: Common, points: Values) -> list[Values | float]:
    """By how much each stands beside what all agree on, at points (n, 3)."""
    motions = [agreed.motion(each) for each in surfaces]
    return [0.0 if each is None else each.along(points) for each in motions]


def _common_surface(surfaces: Sequence[Surface], grid: Grid) -> tuple[Field, npt.NDArray[np.intp]]:
    """The median of all, and voxels (n, 3) that its surface passes and most have steadily."""
    common = median(np.stack([each.distance_mm for each in surfaces]))
    steady = 2 * np.sum([each.steady for each in surfaces], axis=0) > len(surfaces)
    on: Mask = steady & (np.abs(common) < 0.5 * grid.voxel_mm)
    for axis in range(3):  # a slope has neighbours
        on &= np.isfinite(np.gradient(common, axis=axis))
    return common, np.argwhere(on)


def _normals(common: Field, where: npt.NDArray[np.intp]) -> Values:
    slope = np.stack([*np.gradient(common)], axis=-1)[tuple(where.T)]
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    return np.asarray(slope / np.maximum(length, 1e-6), np.float64)


def _seen(
    points: Values, normals: Values, views: Sequence[Prepared], rays: Rays, grid: Grid
) -> Values:
    """(1, n) logarithm of the grey value of each point (n, 3), world frame, the median over the
    views; (3, n) with red and blue over it where all of them are in colour; NaN: unseen."""
    rows = 1 + HUES * all(view.view.colour is not None for view in views)
    every = np.full((len(views), rows, len(points)), np.nan, np.float32)
    for view, look in zip(views, every, strict=True):
        add_look(
            points,
            normals,
            invert(view.view.world_from_camera),
            rays.lens,
            view.view.image,
            NO_COLOUR if view.view.colour is None else view.view.colour,
            view.depth_mm,
            view.edge,
            NEAR_VOXELS * grid.voxel_mm,
            look,
        )
    count = np.isfinite(every).sum(axis=0)
    return np.where(count >= LEAST_SEEN, median(every), np.nan).astype(np.float64)


def _without_light(looks: Values, normals: Sequence[Values]) -> Values:
    """(k, n) without what the direction of the surface explains; (n, 3) normals of each."""
    waves = np.stack([_harmonics(each) for each in normals])
    known = np.isfinite(looks)
    count = np.maximum(known.sum(axis=0), 1)
    own = np.where(known, looks, 0.0)
    left = (looks - own.sum(axis=0) / count)[known]
    rows = (waves - (waves * known[..., None]).sum(axis=0) / count[:, None])[known]
    light, weight = np.zeros(rows.shape[1]), np.ones(len(left))
    for _ in range(LIGHT_STEPS if len(left) else 0):
        weighted = rows * weight[:, None]
        light = np.linalg.solve(weighted.T @ rows + 1e-3 * np.eye(len(light)), weighted.T @ left)
        apart = left - rows @ light
        scale = max(1e-6, 1.4826 * float(np.median(np.abs(apart))))
        weight = 1 / (1 + np.square(apart / (ROBUST * scale))) ** 2
    return np.asarray(looks - waves @ light)


def _harmonics(normals: Values) -> Values:
    """(n, 8) without the constant one."""
    x, y, z = normals.T
    return np.stack([x, y, z, x * y, y * z, x * z, x**2 - y**2, 3 * z**2 - 1], axis=-1)


def _belief(fields: Field) -> Field:
    """0 to 1: how much of a deviation is believed, by how the common look steps around there."""
    common = median(fields)
    smooth, _ = gaussian(common, 1.0)
    square, _ = gaussian(np.square(common - smooth), 1.0)
    contrast = np.sqrt(np.nan_to_num(square, nan=0.0))
    return np.asarray(1 / (1 + np.square(contrast / CONTRAST_BELIEVED)), np.float32)


def _deviation(fields: Field, index: int) -> Field:
    raw = majority(fields, np.isfinite(fields), index)
    wave, _ = gaussian(np.clip(raw, -WAVE_BELIEVED, WAVE_BELIEVED), WAVE_VOXELS)
    smooth, _ = gaussian(raw - wave, SMOOTH_VOXELS)
    return np.nan_to_num(smooth).astype(np.float32)


def _scatter(off: Field, belief: Field) -> float:
    """What half of what is said stays below, beside what is said of all of the instance."""
    known = belief * off != 0
    said = off[known]
    if not said.size:
        return 0.0
    return float(np.median(belief[known] * np.abs(said - np.median(said))))


def _levels(lit: Values) -> list[float]:
    """Of each instance (k, n) against the mean of all; 0 where nothing is known."""
    known = lit[:, np.isfinite(lit).all(axis=0)]
    if not known.size:
        return [0.0] * len(lit)
    return [float(np.median(each)) for each in known - known.mean(axis=0)]


def _compared(told: Mask, index: int, unknown: float) -> float:
    """Share of what the others show that was seen of this one; unknown: of nothing."""
    others = told.sum(axis=0) - told[index]
    expected = others >= max(LEAST_OTHERS, -(-(len(told) - 1) // 2))
    shown = float(expected.sum())
    return float((told[index] & expected).sum()) / shown if shown else unknown
