"""Does this GPU fuse as the CPU does, bit for bit? Asked at every load, as the probe is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.lost_points import Plane, Points
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.lift import lift, lift_points
from voxgate.runtime.volume.volume import Volume


class Fuses(Protocol):
    """What is asked; runtime.device_fusion.DeviceFusion is one."""

    def start(self) -> None: ...
    def fuse_made_up(
        self,
        number: int,
        score: Plane,
        geometry: Plane | None,
        depth_mm: Plane,
        part_from_camera: Transform,
        points: Points,
    ) -> None: ...
    def collect(self, volume: Volume) -> npt.NDArray[np.int32]: ...


VIEWS = 2
POINTS = 500
"""Enough to meet every branch of the kernels; the GPU needs a millisecond, the CPU ten."""


def hold_against_cpu(fusion: Fuses, like: Volume, rays: Rays, crew: Crew) -> None:
    """Fuse two made-up views and some points on both. Raises EngineError when a bit differs."""
    random = np.random.default_rng(0)
    host = Volume(like.grid, like.table_z_mm, sparse=like.sparse)
    device = Volume(like.grid, like.table_z_mm, sparse=like.sparse)
    fusion.start()
    for view in range(VIEWS):
        score, geometry, depth = _planes(random, like, rays)
        pose, points = _pose(random, like), _points(random, like, score.size)
        both = np.maximum(score, geometry)
        lift(host, both, depth, rays, pose, view, crew)
        seen, weak = points.pixel < 0, points.pixel >= 0
        said = np.maximum(points.score[weak], both.reshape(-1)[points.pixel[weak]])
        lift_points(host, points.at_mm[seen], points.score[seen], view, crew)
        lift_points(host, points.at_mm[weak], said, view, crew, seen=False)
        fusion.fuse_made_up(view, score, geometry, depth, pose, points)
    fusion.collect(device)
    _compare(host, device)


def _planes(random: np.random.Generator, like: Volume, rays: Rays) -> tuple[Plane, Plane, Plane]:
    """Scores about the threshold, and depth about the grid with holes in it."""
    shape = rays.x.shape
    score = random.gamma(1.0, 0.4, shape).astype(np.float32)
    geometry = random.gamma(0.5, 0.4, shape).astype(np.float32)
    away = _extent_mm(like)
    depth = random.uniform(1.2 * away, 2.3 * away, shape).astype(np.float32)
    depth[random.random(shape) < 0.1] = np.nan
    return score, geometry, depth


def _pose(random: np.random.Generator, like: Volume) -> Transform:
    """A camera somewhere around the grid, looking at its middle."""
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    rotation[:, 0] *= np.sign(np.linalg.det(rotation))
    pose = np.eye(4)
    pose[:3, :3] = rotation
    middle = np.asarray(like.grid.origin_mm) + _size_mm(like) / 2
    pose[:3, 3] = middle - 1.75 * _extent_mm(like) * rotation[:, 2]
    return pose


def _points(random: np.random.Generator, like: Volume, pixels: int) -> Points:
    """In and around the grid; every second one with a pixel."""
    low = np.asarray(like.grid.origin_mm) - 0.1 * _size_mm(like)
    at_mm = random.uniform(low, low + 1.2 * _size_mm(like), (POINTS, 3)).astype(np.float32)
    pixel = random.integers(0, pixels, POINTS).astype(np.int32)
    pixel[::2] = -1
    return Points(at_mm, random.gamma(1.0, 1.0, POINTS).astype(np.float32), pixel)


def _size_mm(like: Volume) -> npt.NDArray[np.float64]:
    size: npt.NDArray[np.float64] = np.asarray(like.grid.shape) * like.grid.voxel_mm
    return size


def _extent_mm(like: Volume) -> float:
    return float(np.linalg.norm(_size_mm(like)))


def _compare(host: Volume, device: Volume) -> None:
    want, got = host.occupied(), device.occupied()
    same = len(want.ijk) == len(got.ijk) and all(
        np.array_equal(a, b)
        for a, b in ((want.ijk, got.ijk), (want.score, got.score), (want.hits, got.hits))
    )
    if not same or _supported(host) != _supported(device):
        raise EngineError(
            "the GPU fuses other numbers than the CPU: this GPU, driver or build is not to be "
            "trusted; type: voxgate build RECIPE --force, or choose backend: onnxruntime-cpu"
        )


def _supported(volume: Volume) -> dict[int, list[tuple[int, ...]]]:
    """Voxels per view, in an order of their own, whatever slots they have."""
    return {
        view: sorted(map(tuple, volume.ijk(np.unique(np.concatenate(ids))).tolist()))
        for view, ids in volume.supports.items()
    }
