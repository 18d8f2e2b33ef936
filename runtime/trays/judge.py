"""The method on one page: a tray of parts -> which of them differs from its neighbours.

    views -> what stands on the table -> each as a surface, on the grid of one of them -> what the
    majority agrees on, in shape and look -> who deviates from it, and where -> PASS, FAIL or
    INDETERMINATE

Nothing is taught and no part is golden. The task is that of Odd-One-Out (Bhunia, Li and Bilen,
2024); this detector needs depth and no weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Note, Outcome, Reason
from voxgate.runtime.scenes.scene import Scene
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.trays import doubts
from voxgate.runtime.trays.look import LookDifference, look_differences
from voxgate.runtime.trays.majority import patches
from voxgate.runtime.trays.placing import ALIKE, Placed, Target, place
from voxgate.runtime.trays.shape import Difference, differences
from voxgate.runtime.trays.steadiness import shifts_mm
from voxgate.runtime.trays.surface import VOXEL_PX, Field, Grid, Prepared, Surface, fuse, prepare
from voxgate.runtime.trays.tray import Instance, Tray, look

MARGIN_VOXELS = 6.0  # around the part compared with: what another one has too much is still seen
OWN_VOXELS = 8.0  # from its outline: farther away nothing belongs to an instance
ODD_FROM = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Oddity:
    """Where an instance differs: centre_mm (3,) and box_mm (2, 3), world frame. By shape
    deviation_mm is the most, + where there is more material than the neighbours have; by look
    brighter is, 0.1 a tenth brighter than they are, - where it is darker."""

    centre_mm: npt.NDArray[np.float64]
    box_mm: npt.NDArray[np.float64]
    score: float
    deviation_mm: float | None = None
    brighter: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One instance. score: 1.0 = threshold; None: it was not compared."""

    number: int
    instance: Instance
    score: float | None
    oddities: tuple[Oddity, ...] = ()

    @property
    def odd(self) -> bool | None:
        """None: it was not compared."""
        return None if self.score is None else self.score >= ODD_FROM


@dataclass(frozen=True, slots=True, eq=False)
class SceneVerdict:
    """On one tray. Whatever is not proven regular is not PASS."""

    outcome: Outcome
    doubts: tuple[Note, ...]
    judged: tuple[Judged, ...]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Each once; an odd instance is the first."""
        odd = [Reason.ODD] if any(each.odd for each in self.judged) else []
        return tuple(dict.fromkeys([*odd, *(each.reason for each in self.doubts)]))


def judge(scene: Scene, crew: Crew) -> SceneVerdict:
    """Find the instances of a tray and tell which are odd."""
    rays = scene.rays()
    tray = look(scene, rays)
    apart = doubts.touching(tray.instances) | doubts.partly_seen(tray.instances, len(scene.views))
    whole = [each for each in tray.instances if each.label not in apart]
    found = [
        *doubts.views(scene, tray.instances),
        *apart.values(),
        *doubts.small_things(tray.small, tray.instances),
        *doubts.too_few(len(whole), len(tray.instances)),
    ]
    compared: dict[int, Judged] = {}
    if len(whole) >= doubts.LEAST_ALIKE:
        compared, further = _compare(whole, scene, rays, tray, crew)
        found += further
    judged = tuple(
        replace(compared.get(each.label, Judged(0, each, None)), number=number)
        for number, each in enumerate(tray.instances, start=1)
    )
    return SceneVerdict(_outcome(judged, found), tuple(found), judged)


def _compare(
    whole: list[Instance], scene: Scene, rays: Rays, tray: Tray, crew: Crew
) -> tuple[dict[int, Judged], list[Note]]:
    """Each against the others: by label, and what was doubtful about it."""
    views = prepare(scene, rays, tray)
    first, grid, onto, placed = _place_all(whole, views, rays, tray, crew)
    worlds = [invert(each.grid_from_world) for each in placed]
    surfaces = []
    for each, world in zip(whole, worlds, strict=True):
        fused = onto if each is first else fuse(views, rays, grid, world, crew)
        surfaces.append(_own(fused, world, each, tray, grid))
    shifts = shifts_mm(whole, surfaces, worlds, grid, len(scene.views))
    found = [*doubts.disagreeing(shifts, whole, grid.voxel_mm)]
    compared = {}
    shapes, looks = crew.both(
        lambda: differences(surfaces, grid),
        lambda: look_differences(surfaces, worlds, views, rays, grid),
    )
    for instance, stands, world, shape, seen in zip(
        whole, placed, worlds, shapes, looks, strict=True
    ):
        compared[instance.label] = _judged(instance, world, shape, seen, grid)
        if shape.score >= ODD_FROM:
            found += doubts.turned_over(instance, first, stands.alike)
        found += doubts.coverage(instance, shape)
        found += doubts.dim(instance, seen.compared)
    odd = sum(bool(each.odd) for each in compared.values())
    by_look = sum(each.score >= ODD_FROM for each in looks)
    return compared, [*found, *doubts.no_majority(odd, by_look, len(compared))]


def _outcome(judged: tuple[Judged, ...], found: list[Note]) -> Outcome:
    if found:
        return Outcome.INDETERMINATE
    return Outcome.FAIL if any(each.odd for each in judged) else Outcome.PASS


def _place_all(
    whole: list[Instance], views: tuple[Prepared, ...], rays: Rays, tray: Tray, crew: Crew
) -> tuple[Instance, Grid, Surface, list[Placed]]:
    """All onto the first one that most of the others are like; onto the last tried if none is."""
    for first in _most_usual(whole):
        grid = _grid(first, tray, VOXEL_PX * tray.pixel_mm)
        onto = fuse(views, rays, grid, np.eye(4), crew)
        target = Target.of(first, onto, grid)
        placed = [
            Placed(np.eye(4), 1.0) if each is first else place(each, target) for each in whole
        ]
        alike = sum(each.alike >= ALIKE for each in placed)
        if 2 * alike > len(whole):
            break
    return first, grid, onto, placed


def _most_usual(instances: list[Instance]) -> list[Instance]:
    """Those whose footprint and height are the most usual come first."""
    sizes = np.array([(each.footprint_mm2, each.box_mm[1, 2]) for each in instances])
    off = np.abs(sizes / np.median(sizes, axis=0) - 1).sum(axis=1)
    return [instances[index] for index in np.argsort(off, kind="stable")]


def _grid(instance: Instance, tray: Tray, voxel_mm: float) -> Grid:
    margin = MARGIN_VOXELS * voxel_mm
    low, high = instance.box_mm[0] - margin, instance.box_mm[1] + margin
    low[2] = tray.table_z_mm - voxel_mm
    shape = np.ceil((high - low) / voxel_mm).astype(int).tolist()
    return Grid(low, (shape[0], shape[1], shape[2]), voxel_mm)


def _own(
    surface: Surface, world_from_grid: Transform, instance: Instance, tray: Tray, grid: Grid
) -> Surface:
    """Without what belongs to a neighbour that stands close, and without the table around."""
    cells = np.moveaxis(np.indices(grid.shape[:2]), 0, -1)
    level = np.concatenate([cells, np.full((*cells.shape[:2], 1), grid.shape[2] // 2)], axis=-1)
    centres = grid.centres_mm(level).reshape(-1, 3)
    world = apply(world_from_grid, centres).reshape(*cells.shape[:2], 3)
    own = tray.belongs(world, instance.label, OWN_VOXELS * grid.voxel_mm)[..., None]
    return replace(
        surface,
        distance_mm=np.where(own, surface.distance_mm, np.nan).astype(np.float32),
        average_mm=np.where(own, surface.average_mm, np.nan).astype(np.float32),
        steady=surface.steady & own,
    )


def _judged(
    instance: Instance, world: Transform, shape: Difference, seen: LookDifference, grid: Grid
) -> Judged:
    by_shape = [
        _oddity(voxels, score, world, shape.deviation_mm, grid)
        for voxels, score in patches(shape.deviation_mm, shape.limit_mm)
    ]
    by_look = [
        _in_grey(_oddity(voxels, score, world, seen.deviation, grid))
        for voxels, score in patches(seen.deviation, seen.limit)
    ]
    found = sorted([*by_shape, *by_look], key=lambda each: -each.score)
    return Judged(0, instance, max(shape.score, seen.score), tuple(found))


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
