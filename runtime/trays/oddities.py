"""Where an instance differs: patches of voxels that are off, as places in the world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.trays.neighbours.look import Look
from voxgate.runtime.trays.neighbours.majority import PATCH_VOXELS, patches
from voxgate.runtime.trays.neighbours.passage import LIMIT, PIECE_VOXELS, Passage
from voxgate.runtime.trays.neighbours.shape import Difference
from voxgate.runtime.trays.scene_verdict import Judged, Oddity
from voxgate.runtime.trays.surface import Field, Grid
from voxgate.runtime.trays.tray import Instance


def judged_of(
    instance: Instance,
    world: Transform,
    shape: Difference,
    passed: Passage,
    seen: Look,
    grid: Grid,
) -> Judged:
    """What was found of one instance; it has no number yet."""
    by_depth = [
        *_oddities(shape.deviation_mm, shape.limit_mm, shape.deviation_mm, world, grid),
        *_oddities(passed.closed, LIMIT, passed.deviation_mm(grid), world, grid, PIECE_VOXELS),
    ]
    by_grey, *by_hue = (
        _oddities(look.deviation, look.limit, look.deviation, world, grid, look.least)
        for look in (seen.grey, *seen.hues)
    )
    found = [*_once(by_depth), *map(_in_grey, by_grey)]
    found += map(_of_hue, _once([each for hue in by_hue for each in hue]))
    score = max(shape.score, passed.score, seen.score)
    return Judged(0, instance, score, tuple(sorted(found, key=lambda each: -each.score)))


def _oddities(
    off: Field,
    limit: float,
    deviation: Field,
    world: Transform,
    grid: Grid,
    least: int = PATCH_VOXELS,
) -> list[Oddity]:
    """Of every patch of at least so many voxels that is off by more than the limit."""
    return [
        _oddity(voxels, score, world, deviation, grid)
        for voxels, score in patches(off, limit, least)
    ]


def _once(found: list[Oddity]) -> list[Oddity]:
    """Without what lies in the box of a worse one."""
    kept: list[Oddity] = []
    for each in sorted(found, key=lambda each: -each.score):
        inside = [
            ((each.centre_mm >= worse.box_mm[0]) & (each.centre_mm <= worse.box_mm[1])).all()
            for worse in kept
        ]
        kept += [] if any(inside) else [each]
    return kept


def _oddity(
    voxels: npt.NDArray[np.intp], score: float, world: Transform, deviation: Field, grid: Grid
) -> Oddity:
    points = apply(world, grid.centres_mm(voxels))
    own = deviation[tuple(voxels.T)]
    return Oddity(
        points.mean(axis=0),
        np.stack([points.min(axis=0), points.max(axis=0)]),
        score,
        float(own[np.abs(own).argmax()]),
    )


def _in_grey(found: Oddity) -> Oddity:
    """Its deviation is of the logarithm of the grey value."""
    assert found.deviation_mm is not None
    return replace(found, deviation_mm=None, brighter=float(np.expm1(found.deviation_mm)))


def _of_hue(found: Oddity) -> Oddity:
    """Its deviation is of red or blue over the grey value."""
    return replace(found, deviation_mm=None)
