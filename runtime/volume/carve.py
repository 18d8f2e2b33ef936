"""The body of what has vanished: a ray that passed through it is the proof that it is not there.

A view sees expected surface gone and meets something well behind it. Whatever lies between on that
ray, and what no golden ray proved free, was material: its back and its inside too, which no golden
pixel of this viewpoint shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import RETURNED, ExpectedView
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.geometry.lens import SIZE
from voxgate.runtime.geometry.projected import Box
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.carve_kernels import add_passed, cells_between
from voxgate.runtime.volume.grid import GridSpec

CELLS_PER_VOXEL = 2  # along an edge: a voxel that is material in part is missing too
# A golden ray proves a point free that it passed by this much: the noise on a slope, and half a
# pixel at an edge. Closer to its surface, the point may belong to it.
PASSED_MM = 1.0
GOLDEN_RADIUS_PX = 1  # the part is placed to a third of a pixel, an edge flickers by one
EDGE_RADIUS_PX = 2  # a ray that nearly touches what still stands proves nothing there

FloatList = npt.NDArray[np.float32]


def carve(
    view: View,
    registered: Registered,
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    grid: GridSpec,
) -> Registered:
    """With the body of what has vanished among the vanished points: centres of the grid's voxels.

    At most as many as a view has pixels: what is larger has failed by a fraction of it. Costs
    nothing where nothing has vanished. Raises ValueError when the view has no depth.
    """
    if not len(registered.vanished_score):
        return registered
    cell_mm = grid.voxel_mm / CELLS_PER_VOXEL
    cells, score = cells_between(
        registered.vanished_mm,
        registered.behind_mm,
        registered.vanished_score,
        np.array(grid.origin_mm),
        cell_mm,
        np.array(grid.shape, np.int64) * CELLS_PER_VOXEL,
    )
    centres_mm = np.asarray(grid.origin_mm) + cell_mm * (cells + 0.5)
    passed = np.flatnonzero(_passed_by(view, rays, centres_mm, grid.voxel_mm))
    material = passed[~_was_free(golden, rays, reference_from_part, centres_mm[passed])]
    ijk = cells[material] // CELLS_PER_VOXEL
    ijk, score = _loudest(ijk, score[material], grid, at_most=rays.x.size)
    return replace(
        registered,
        vanished_mm=np.concatenate(
            [registered.vanished_mm, grid.centres_mm(ijk)], dtype=np.float32
        ),
        vanished_score=np.concatenate([registered.vanished_score, score]),
    )


def _passed_by(
    view: View, rays: Rays, points_mm: npt.NDArray[np.float64], by_mm: float
) -> npt.NDArray[np.bool_]:
    """(n,) whether this view met nothing up to `by_mm` behind the points (n, 3), part frame."""
    if view.depth_mm is None:
        raise ValueError(f"frame {view.frame_id}: carving needs depth")
    passed = np.zeros(len(points_mm), np.bool_)
    depth, camera_from_part = view.depth_mm, invert(view.part_from_camera)
    known = (depth > 0).view(np.uint8) * np.uint8(RETURNED)
    add_passed(points_mm, camera_from_part, rays.lens, depth, known, EDGE_RADIUS_PX, by_mm, passed)
    return passed


def _was_free(
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    points_mm: npt.NDArray[np.float64],
) -> npt.NDArray[np.bool_]:
    """(n,) whether any golden ray passed the points (n, 3), part frame."""
    passed = np.zeros(len(points_mm), np.bool_)
    if not len(points_mm):
        return passed
    box = Box.around(apply(reference_from_part, points_mm))
    for view in golden:
        if view.frustum.misses(box):
            continue
        golden_from_part = invert(view.part_from_camera) @ reference_from_part
        add_passed(
            points_mm,
            golden_from_part,
            rays.lens,
            view.depth_mm,
            view.known,
            GOLDEN_RADIUS_PX,
            PASSED_MM,
            passed,
        )
    return passed


def _loudest(
    ijk: npt.NDArray[np.int64], score: FloatList, grid: GridSpec, at_most: int
) -> tuple[npt.NDArray[np.int32], FloatList]:
    """Voxels (m, 3) and scores (m,), each voxel once."""
    order = np.argsort(-score, kind="stable")
    numbers = np.ravel_multi_index(tuple(ijk[order].T), grid.shape)
    _, first = np.unique(numbers, return_index=True)
    kept = order[np.sort(first)[:at_most]]
    return ijk[kept].astype(np.int32), score[kept]


def warm_up() -> None:
    """Compile (or load) the kernels of this file."""
    one = np.ones((1, 3), np.float32)
    cells_between(one, 3 * one, one[:, 0], np.zeros(3), 1.0, np.full(3, 4, np.int64))
    depth = np.ones((4, 4), np.float32)
    passed = np.zeros(1, np.bool_)
    known = np.ones((4, 4), np.uint8)
    add_passed(np.ones((1, 3)), np.eye(4), np.zeros(SIZE), depth, known, 1, 1.0, passed)
