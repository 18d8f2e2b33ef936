"""Lift and fuse: pixel -> ray -> depth -> part frame -> voxel; maximum score and hits per voxel.

Three passes, so that one or two threads give the same bits: number each pixel's voxel (rows are
split), find or make its block (sparse only, one thread), write (each thread owns every second
block, so no voxel has two writers).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift_kernels import (
    BESIDE,
    find_slots,
    number_pixels,
    number_points,
    write_voxels,
)
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Volume

ScorePlane = npt.NDArray[np.float32]

FEW_POINTS = 1 << 15  # are written sooner than a helper is woken, which a busy machine does late


@dataclass(frozen=True, slots=True)
class LiftCounts:
    """What became of the pixels of one view; all but `stray` add up to all of them.

    dropped: inside the grid, but a sparse volume's memory was full: the volume is incomplete.
    stray: of those outside, the ones with a score over the threshold: no voxel holds it.
    """

    lifted: int
    outside: int
    invalid: int
    table: int
    dropped: int
    stray: int


def outside_fraction(counts: Iterable[LiftCounts]) -> float:
    """Of the points on the part, those that fell outside the grid or found no memory."""
    total = list(counts)
    outside = sum(count.outside + count.dropped for count in total)
    return outside / max(1, outside + sum(count.lifted for count in total))


def lift(
    volume: Volume,
    score: ScorePlane,
    depth_mm: DepthMap,
    rays: Rays,
    part_from_camera: Transform,
    view: int,
    crew: Crew,
) -> LiftCounts:
    """Fuse one view: score (h, w) float32, finite; depth (h, w) float32 mm, NaN = no return.

    A score <= 0 counts as a hit and leaves the voxel's score alone. Raises ValueError when the
    shapes of score, depth and rays differ.
    """
    _same_shape(score, depth_mm, rays)
    z, rx, ry = _flat(depth_mm), _flat(rays.x), _flat(rays.y)
    voxel_from_camera = voxel_from(volume.grid, part_from_camera)
    box = _box(volume)
    numbers = crew.scratch("lift.numbers", (z.size,), np.int32)

    def part(index: int) -> npt.NDArray[np.int64]:
        lo, hi = crew.span(index, z.size)
        counts: npt.NDArray[np.int64] = number_pixels(
            z[lo:hi], rx[lo:hi], ry[lo:hi], voxel_from_camera, *box, numbers[lo:hi]
        )
        return counts

    return _fuse(volume, numbers, _flat(score), view, crew, np.sum(crew.run(part), axis=0))


def lift_points(
    volume: Volume,
    points_part_mm: npt.NDArray[np.float32],
    score: ScorePlane,
    view: int,
    crew: Crew,
    seen: bool = True,
) -> LiftCounts:
    """Fuse points (n, 3) float32 of the part frame, mm, with scores (n,): vanished surface.

    seen: whether a ray passed through the points (a hit), or nothing returned from them.
    Raises ValueError when the lengths differ.
    """
    if points_part_mm.shape != (score.size, 3):
        raise ValueError(f"expected ({score.size}, 3) points, got {points_part_mm.shape}")
    numbers = np.empty(score.size, np.int32)
    counts = number_points(
        _own(points_part_mm), voxel_from(volume.grid, np.eye(4)), *_box(volume), numbers
    )
    writers = crew if score.size > FEW_POINTS else crew.alone
    return _fuse(volume, numbers, _flat(score), view, writers, counts, seen)


def warm_up(crew: Crew) -> None:
    """Compile (or load) every kernel of this file on a grid of a few voxels, dense and sparse."""
    one = np.ones((1, 2), np.float32)
    rays = Rays(one, one, np.zeros(9))
    for sparse in (False, True):
        volume = Volume(GridSpec((0.0, 0.0, 0.0), (2, 2, 2), 1.0), memory_mb=1, sparse=sparse)
        lift(volume, one, one, rays, np.eye(4), 0, crew)
        lift_points(volume, np.ones((1, 3), np.float32), np.ones(1, np.float32), 0, crew)


def _fuse(
    volume: Volume,
    numbers: npt.NDArray[np.int32],
    score: ScorePlane,
    view: int,
    crew: Crew,
    counts: npt.NDArray[np.int64],
    seen: bool = True,
) -> LiftCounts:
    dropped = 0
    if volume.sparse:
        dropped = find_slots(numbers, volume.table, volume.block_of_slot, volume.used)

    writers = 1 << (crew.threads.bit_length() - 1)  # groups of blocks are dealt out by bits

    hit = np.uint16(seen)

    def part(index: int) -> int:
        if index >= writers:
            return 0
        supports: int = write_voxels(
            numbers,
            score,
            volume.score,
            volume.hits,
            hit,
            np.float32(SUPPORT_SCORE),
            index,
            writers - 1,
        )
        return supports

    if sum(crew.run(part)):
        at_threshold = numbers[score >= SUPPORT_SCORE]
        volume.supports.setdefault(view, []).append(at_threshold[at_threshold >= 0])
    lifted, table, invalid = (int(count) for count in counts)
    outside = numbers.size - lifted - table - invalid
    return LiftCounts(
        lifted=lifted - dropped,
        outside=outside,
        invalid=invalid,
        table=table,
        dropped=dropped,
        stray=_stray(numbers, score) if outside else 0,
    )


def _stray(numbers: npt.NDArray[np.int32], score: ScorePlane) -> int:
    return int(np.count_nonzero((score >= SUPPORT_SCORE) & (numbers == BESIDE)))


def voxel_from(grid: GridSpec, part_from_a: Transform) -> npt.NDArray[np.float32]:
    """(3, 4) float32: points of frame a, mm, to voxel indices with fractions."""
    scaled = part_from_a[:3].copy()
    scaled[:, 3] -= grid.origin_mm
    voxel_from_a: npt.NDArray[np.float32] = (scaled / grid.voxel_mm).astype(np.float32)
    return voxel_from_a


def _box(volume: Volume) -> tuple[npt.NDArray[np.int32], np.float32]:
    """Shape and blocks of the grid (6,) and the table's height in voxels, for the kernels."""
    grid = volume.grid
    table = (volume.table_z_mm - grid.origin_mm[2]) / grid.voxel_mm
    return np.array([*grid.shape, *grid.blocks], np.int32), np.float32(table)


def _same_shape(score: ScorePlane, depth_mm: DepthMap, rays: Rays) -> None:
    if not score.shape == depth_mm.shape == rays.x.shape:
        raise ValueError(
            f"score, depth and rays must have one shape, got {score.shape}, "
            f"{depth_mm.shape} and {rays.x.shape}"
        )


def _flat(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return _own(plane).reshape(-1)


def _own(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The array itself if a kernel takes it as it is; a copy of a read-only or strided one.

    A kernel is compiled per memory layout: a new layout would cost a second in mid-job.
    """
    return np.require(plane, np.float32, ["C", "W"])
