"""Was all of the expected surface looked at? Coverage is measured against it, never counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.lift_kernels import hit_near
from voxgate.runtime.volume.look_kernels import look
from voxgate.runtime.volume.segment import label
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

HALF_VOXELS = 0.35  # to either side of a piece's middle: inside its voxel
REACH_VOXELS = 1.25  # before a piece, along its normal: a bump is its surface, a lump hides it

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How much of the expected surface this part's views measured.

    fraction: seen / expected voxels, 0..1. hole_mm2: of the largest connected piece of the others,
    a place where a defect could hide.
    """

    fraction: float
    seen: int
    unseen: int
    hole_mm2: float


class Looked:
    """Which pieces of the surface the views of one part have reached so far.

    A piece is seen when a ray from its front met it, or passed through where it should be: then it
    has vanished, and that was looked at, if there is a score for what vanished (through). Nothing
    returned, or something stood before it: not seen.
    """

    def __init__(self, surface: Surface, grid: GridSpec, rays: Rays, through: bool = True) -> None:
        self._surface = surface
        self._grid = grid
        self._rays = rays
        self._through = through
        self._met: Mask = np.zeros(len(surface.ijk), np.bool_)
        self._seen: Mask = np.zeros(len(surface.ijk), np.bool_)

    def clear(self) -> None:
        """Forget the last part."""
        self._met[:] = self._seen[:] = False

    @property
    def seen(self) -> Mask:
        """(n,) bool, of the surface's pieces."""
        return np.array(self._seen)

    @property
    def met(self) -> Mask:
        """(n,) bool, those of them that a ray met."""
        return np.array(self._met)

    def add(self, view: View, reference_from_part: Transform) -> Mask:
        """One more view of it; (n,) the pieces that it passed through, met by no view until now.
        Raises ValueError when the view has no depth."""
        if view.depth_mm is None:
            raise ValueError(f"frame {view.frame_id}: coverage needs depth")
        reference_from_camera = reference_from_part @ view.part_from_camera
        passed = np.empty_like(self._met)
        look(
            self._surface.points_mm,
            self._surface.normals,
            invert(reference_from_camera),
            np.ascontiguousarray(reference_from_camera[:3, 3]),
            self._rays.lens,
            np.require(view.depth_mm, np.float32, ["C", "W"]),
            HALF_VOXELS * self._grid.voxel_mm,
            REACH_VOXELS * self._grid.voxel_mm,
            self._through,
            self._met,
            self._seen,
            passed,
        )
        return passed

    def coverage(
        self,
        volume: Volume,
        reference_from_part: Transform,
        gone_mm: npt.NDArray[np.float32],
        within_sight: Mask | None = None,
    ) -> Coverage:
        """What all views together have seen, the back of what they prove gone (n, 3) included.

        Unseen pieces that touch a defect of `volume` are no hole: what stands out hides what is
        under it, and is proven itself. within_sight: (n,) the pieces that are asked for; all.

        Raises ValueError when nothing is expected.
        """
        if not len(self._seen):
            raise ValueError("expected at least one voxel of surface, got none")
        surface, asked = self._surface, len(self._seen)
        unseen = ~self._seen
        if within_sight is not None:
            unseen, asked = unseen & within_sight, max(1, int(within_sight.sum()))
        left = np.flatnonzero(unseen)
        points_mm = apply(invert(reference_from_part), surface.points_mm[left]).astype(np.float32)
        if self._through and len(gone_mm) and len(left):
            gone = near(points_mm, gone_mm, self._grid)
            left, points_mm = left[~gone], points_mm[~gone]
        return Coverage(
            fraction=1.0 - len(left) / asked,
            seen=asked - len(left),
            unseen=len(left),
            hole_mm2=_largest_hole(volume, surface.ijk[left], surface.area_mm2[left], points_mm),
        )


def _largest_hole(
    volume: Volume,
    ijk: npt.NDArray[np.int32],
    area_mm2: npt.NDArray[np.float64],
    points_mm: npt.NDArray[np.float32],
) -> float:
    count, labels = label(ijk)
    if not count:
        return 0.0
    holes_mm2 = np.bincount(labels, area_mm2)
    if len(defects := volume.above().ijk):
        at_mm = volume.grid.centres_mm(defects).astype(np.float32)
        holes_mm2[labels[near(points_mm, at_mm, volume.grid)]] = 0.0
    return float(holes_mm2.max())


def near(
    points_mm: npt.NDArray[np.float32], others_mm: npt.NDArray[np.float32], grid: GridSpec
) -> Mask:
    """(n,) whether any of the others (m, 3) lies in the voxel of a point (n, 3), or next to it."""
    volume = Volume(grid)
    with Crew(1) as crew:
        lift_points(volume, others_mm, np.zeros(len(others_mm), np.float32), 0, crew)
    ijk = np.ascontiguousarray(grid.voxels_of(points_mm.astype(np.float64)))
    box = np.array([*grid.shape, *grid.blocks], np.int32)
    found = np.empty(len(ijk), np.bool_)
    hit_near(ijk, box, volume.sparse, volume.table, volume.hits, found)
    return found


def warm_up() -> None:
    """Compile (or load) the kernels of this file."""
    grid, depth = GridSpec((0.0, 0.0, 0.0), (2, 2, 2), 1.0), np.ones((4, 4), np.float32)
    looked = Looked(
        Surface.of_voxels(grid, np.ones((1, 3), np.int32)), grid, Rays(depth, depth, np.ones(9))
    )
    looked.add(View(0, depth.astype(np.uint8), np.eye(4), 0.0, depth), np.eye(4))
    near(np.ones((1, 3), np.float32), np.ones((1, 3), np.float32), grid)
