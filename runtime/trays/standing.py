"""Where every instance stands on one of them, whose grid all are held against each other on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform, invert
from voxgate.runtime.trays.placing import ALIKE, Placed, Target, place, refit, sample
from voxgate.runtime.trays.surface import VOXEL_PX, Grid, Prepared, fuse, near
from voxgate.runtime.trays.tray import Instance

MARGIN_VOXELS = 6.0  # around the part compared with: what another one has too much is still seen
SAME_PLACE = 0.25  # of its box: more views see more of an instance
AS_ALIKE = 0.1  # an instance that fits worse than before by more is looked for anew
CLOUD = 20_000  # points of an instance, to tell which voxels lie near it


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """first: number of the instance that the others are brought onto. placed: of each."""

    whole: tuple[Instance, ...]
    first: int
    grid: Grid
    placed: tuple[Placed, ...]

    @property
    def worlds(self) -> list[Transform]:
        """world_from_grid of each."""
        return [invert(each.grid_from_world) for each in self.placed]

    def same(self, whole: Sequence[Instance]) -> list[int] | None:
        """Which of those that stood here each one is that more views have seen since; None: they
        are not the same, or one of them is not on the grid that was laid round the first."""
        found = [self._index(each) for each in whole]
        numbers = [each for each in found if each is not None]
        if sorted(numbers) != list(range(len(self.whole))):
            return None
        return numbers if self._holds(whole[numbers.index(self.first)]) else None

    def of(self, whole: Sequence[Instance]) -> Standing | None:
        """The same places, of the same instances that more views have seen since; None: they are
        not the same."""
        order = self.same(whole)
        if order is None:
            return None
        placed = tuple(self.placed[index] for index in order)
        return Standing(tuple(whole), order.index(self.first), self.grid, placed)

    def start(self, instance: Instance, first: Instance) -> Placed | None:
        """Where an instance that more views have seen since stands on `first`, by this; None: it
        did not stand there."""
        here, there = self._index(instance), self._index(first)
        if here is None or there is None:
            return None
        onto = invert(self.placed[there].grid_from_world)
        return Placed(onto @ self.placed[here].grid_from_world, self.placed[here].alike)

    def _index(self, instance: Instance) -> int | None:
        for index, was in enumerate(self.whole):
            off = np.abs(was.box_mm.mean(axis=0) - instance.box_mm.mean(axis=0))
            if (off <= SAME_PLACE * np.ptp(instance.box_mm, axis=0)).all():
                return index
        return None

    def _holds(self, first: Instance) -> bool:
        """Whether there is still room around it."""
        room = self.grid.voxel_mm * MARGIN_VOXELS / 2
        high = self.grid.origin_mm + np.multiply(self.grid.shape, self.grid.voxel_mm)
        low = self.grid.origin_mm[:2] + room
        return bool((first.box_mm[0, :2] > low).all() and (first.box_mm[1] < high - room).all())


def stand(
    whole: Sequence[Instance],
    views: Sequence[Prepared],
    rays: Rays,
    table_z_mm: float,
    crew: Crew,
    before: Standing | None = None,
) -> Standing:
    """All onto the first one that most of the others are like; onto the last tried if none is.

    before: where they stood by fewer views.
    """
    pixel_mm = _pixel_mm(whole, views, rays)
    for first in _most_usual(whole):
        usual = whole[first]
        grid = _grid(usual, table_z_mm, VOXEL_PX * pixel_mm)
        voxels = np.argwhere(near(grid, [sample(usual, CLOUD)])).astype(np.int32)
        target = Target.of(fuse(views, rays, grid, np.eye(4), voxels, crew), grid)
        placed = _placed(whole, usual, target, crew, before)
        if 2 * sum(each.alike >= ALIKE for each in placed) > len(whole):
            break
    return Standing(tuple(whole), first, grid, tuple(placed))


def _placed(
    whole: Sequence[Instance], usual: Instance, target: Target, crew: Crew, before: Standing | None
) -> list[Placed]:
    def part(index: int) -> list[Placed]:
        own = whole[index :: crew.threads]
        return [_placed_one(each, usual, target, before) for each in own]

    shares = crew.run(part)
    return [shares[number % crew.threads][number // crew.threads] for number in range(len(whole))]


def _placed_one(
    instance: Instance, usual: Instance, target: Target, before: Standing | None
) -> Placed:
    if instance is usual:
        return Placed(np.eye(4), 1.0)
    start = None if before is None else before.start(instance, usual)
    found = None if start is None else refit(instance, target, start.grid_from_world)
    if start is None or found is None or found.alike < start.alike - AS_ALIKE:
        return place(instance, usual, target)
    return found


def _most_usual(instances: Sequence[Instance]) -> list[int]:
    """Those whose footprint and height are the most usual come first."""
    sizes = np.array([(each.footprint_mm2, each.box_mm[1, 2]) for each in instances])
    off = np.abs(sizes / np.median(sizes, axis=0) - 1).sum(axis=1)
    return [int(each) for each in np.argsort(off, kind="stable")]


def _grid(instance: Instance, table_z_mm: float, voxel_mm: float) -> Grid:
    margin = MARGIN_VOXELS * voxel_mm
    low, high = instance.box_mm[0] - margin, instance.box_mm[1] + margin
    low[2] = table_z_mm - voxel_mm
    shape = np.ceil((high - low) / voxel_mm).astype(int).tolist()
    return Grid(low, (shape[0], shape[1], shape[2]), voxel_mm)


def _pixel_mm(instances: Sequence[Instance], views: Sequence[Prepared], rays: Rays) -> float:
    """What a pixel spans on what was found, the median."""
    eyes = np.zeros((max(each.view.number for each in views) + 1, 3))
    for each in views:
        eyes[each.view.number] = each.view.world_from_camera[:3, 3]
    away = [np.linalg.norm(each.points - eyes[each.view_of], axis=1) for each in instances]
    return float(np.median(np.concatenate(away)) / rays.lens[0])
