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
    PATCH_VOXELS,
    gaussian,
    majority,
    median,
    patch,
    scatter,
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
# Of every value, towards no light: parts that are turned about the vertical alone differ by nothing
# that tells how much light falls from above, and whatever is fitted there is no print.
LIGHT_RIDGE = 0.02
WAVE_VOXELS = 6.0  # shade of neighbours and of the part's own walls is softer than a mark
WAVE_BELIEVED = 0.15
SMOOTH_VOXELS = 0.8
CONTRAST_BELIEVED = 0.25  # where the print itself steps by more, a little misplacement is a mark
ASLANT_BELIEVED = 0.8  # of a surface that few views look at squarely
SCATTER_SHARE = 0.98  # of what is said of a part stays below what regular ones scatter by
# Four voxels that hang together: hard shadows of regular parts reach 3.1 times it, else 2.8 times.
LIMIT_SCATTERS = 3.2
LEAST_SCATTER = 0.025
HULL_SCATTERS, LEAST_HULL_SCATTER = 16.0, 0.012  # of what half stays below
SPECK_VOXELS = 4
LEVELS_APART = WAVE_BELIEVED + 0.17  # more is no shade on a whole part
NO_COLOUR = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class LookDifference:
    """One instance against its neighbours, in grey or one of two hues. deviation: (k, m, n) of the
    logarithm of the grey value, + where it is brighter, or of red or blue over it; 0 where nothing
    is said; limit: of a score of 1; least: voxels that must reach it together; compared: share of
    the neighbours' looks that could be compared; believed: (n,) of every voxel that the surface
    passes how much of a deviation is, 0 where it is unseen."""

    deviation: Field
    limit: float
    least: int
    score: float
    compared: float
    believed: Values


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
    measured: bool = True,
) -> tuple[Look, ...]:
    """Every instance, at least three, against the others. worlds: world_from_grid of each.
    measured: else it is a hull: only what is looked at squarely lies where it says."""
    common, where, normals = _common_surface(surfaces, grid, aslant=measured)
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
    square = np.where(_square(surfaces), 1.0, ASLANT_BELIEVED).astype(np.float32)
    belief = _belief(fields[GREY]) * smoothness(common, grid) * square
    grey = _compared_by(fields[GREY], where, belief, measured, unknown=0.0)
    hues = [  # black has no hue, and a part may be black
        _compared_by(own, where, belief * _belief(own), measured, unknown=1.0)
        for own in fields[GREY + 1 :]
    ]
    levels = zip(*map(_levels, lit), strict=True)
    return tuple(
        Look(own, tuple(of_hue), level)
        for own, level, *of_hue in zip(grey, levels, *hues, strict=True)
    )


def _compared_by(
    fields: Field, where: npt.NDArray[np.intp], belief: Field, measured: bool, unknown: float
) -> list[LookDifference]:
    """Each of (k, ...) against the others, where it is believed. where: (n, 3) voxels that the
    surface passes; unknown: how much counts as compared where nothing is known."""
    least = SPECK_VOXELS if measured else PATCH_VOXELS
    deviations = [belief * _deviation(fields, index) for index in range(len(fields))]
    limit = _limit(deviations, measured)
    told: Mask = np.isfinite(fields[:, where[:, 0], where[:, 1], where[:, 2]])
    return [
        LookDifference(
            deviation,
            limit,
            least,
            patch(np.abs(deviation), least) / limit,
            _compared(told, index, unknown),
            np.where(told[index], belief[tuple(where.T)], 0.0),
        )
        for index, deviation in enumerate(deviations)
    ]


def _limit(deviations: Sequence[Field], measured: bool) -> float:
    """By what the parts scatter; the tail of a hull's looks are its edges, which lie nowhere."""
    share, scatters, floor = (
        (SCATTER_SHARE, LIMIT_SCATTERS, LEAST_SCATTER)
        if measured
        else (0.5, HULL_SCATTERS, LEAST_HULL_SCATTER)
    )
    usual = float(np.median([scatter(each, share) for each in deviations]))
    return scatters * float(np.hypot(usual, floor))


def _off(surfaces: Sequence[Surface], agreed: Common, points: Values) -> list[Values | float]:
    """By how much each stands beside what all agree on, at points (n, 3)."""
    motions = [agreed.motion(each) for each in surfaces]
    return [0.0 if each is None else each.along(points) for each in motions]


def _common_surface(
    surfaces: Sequence[Surface], grid: Grid, aslant: bool
) -> tuple[Field, npt.NDArray[np.intp], Values]:
    """The median of all, voxels (n, 3) that its surface passes, and normals (n, 3) there. aslant:
    also where few look at it squarely."""
    common = median(np.stack([each.distance_mm for each in surfaces]))
    slope = np.stack([_slope(common, axis) for axis in range(3)], axis=-1)
    on: Mask = np.isfinite(slope).all(axis=-1) & (np.abs(common) < 0.5 * grid.voxel_mm)
    on &= aslant | _square(surfaces)
    length = np.linalg.norm(slope[on], axis=1, keepdims=True)
    return common, np.argwhere(on), np.asarray(slope[on] / np.maximum(length, 1e-6), np.float64)


def _slope(distance: Field, axis: int) -> Field:
    """A voxel along an axis, by the neighbours that are known; NaN where none is."""
    step = np.diff(distance, axis=axis)
    ends = [np.insert(step, place, np.nan, axis=axis) for place in (0, step.shape[axis])]
    known = np.sum(np.isfinite(ends), axis=0)
    total = np.nansum(ends, axis=0)
    return np.where(known, total / np.maximum(known, 1), np.nan).astype(np.float32)


def _square(surfaces: Sequence[Surface]) -> Mask:
    """Where most are looked at squarely."""
    return np.asarray(2 * np.sum([each.steady for each in surfaces], axis=0) > len(surfaces))


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
        ridge = LIGHT_RIDGE * len(left) * np.eye(len(light))
        light = np.linalg.solve(weighted.T @ rows + ridge, weighted.T @ left)
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
