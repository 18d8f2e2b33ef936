"""Which pixel of a view shows a point, how far away it is, and whether a view shows any at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.transforms import Transform, apply, invert

BESIDE_PX = 2.0  # beyond the middle of its last pixel a picture reaches a half, stretched by a lens
BEHIND_MM = 6.0  # what lies so far behind all that a view met is hidden from it, and not free


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """One for each of n points.

    inside: (n,) bool, whether the picture shows the place, in front of the camera at all; rows,
    columns: (n,), 0 where it does not; camera_mm: (n, 3) the points in the camera's frame.
    """

    inside: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    camera_mm: npt.NDArray[np.float64]

    @property
    def depth_mm(self) -> npt.NDArray[np.float64]:
        """(n,) along the optical axis."""
        return self.camera_mm[:, 2]


def project_into(
    points_mm: npt.NDArray[np.float64], part_from_camera: Transform, rays: Rays
) -> Projected:
    """Of points (n, 3) in the part frame; what is hidden behind nearer surface counts as well."""
    camera = apply(invert(part_from_camera), points_mm)
    before = camera[:, 2] > 0
    pixel = np.rint(rays.project(np.where(before[:, None], camera, (0.0, 0.0, 1.0))))
    height, width = rays.x.shape
    inside = before & ((pixel >= 0) & (pixel < (width, height))).all(axis=1)
    columns, rows = np.where(inside[:, None], pixel, 0).astype(np.intp).T
    return Projected(inside, rows, columns, camera)


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """Around points, along the axes of their frame: its middle and half its size, (3,) mm."""

    middle_mm: npt.NDArray[np.float64]
    half_mm: npt.NDArray[np.float64]

    @classmethod
    def around(cls, points_mm: npt.NDArray[np.float64]) -> Box:
        """Of points (n, 3), one at least."""
        low, high = points_mm.min(axis=0), points_mm.max(axis=0)
        return cls((low + high) / 2, (high - low) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Frustum:
    """The space that a picture shows, up to what lies behind all that was met there.

    planes: (6, 4) float64 (n, d): n . X + d < 0 for points X of the part frame, mm, outside of one.
    """

    planes: npt.NDArray[np.float64]

    @classmethod
    def of(cls, depth_mm: DepthMap, part_from_camera: Transform, rays: Rays) -> Frustum:
        """Of a view of these pixels that met something at depth (h, w), NaN where it did not.

        Far beside it the lens model may fold over and place points in the picture: it shows none.
        """
        left, top = rays.x.min() - BESIDE_PX / rays.lens[0], rays.y.min() - BESIDE_PX / rays.lens[1]
        right = rays.x.max() + BESIDE_PX / rays.lens[0]
        bottom = rays.y.max() + BESIDE_PX / rays.lens[1]
        of_camera = np.array([
            (1, 0, -left, 0), (-1, 0, right, 0), (0, 1, -top, 0), (0, -1, bottom, 0),
            (0, 0, 1, 0), (0, 0, -1, np.nanmax(depth_mm) + BEHIND_MM),
        ])  # fmt: skip
        return cls(of_camera @ invert(part_from_camera))

    def misses(self, box: Box) -> bool:
        """Whether no point of the box can be in it, for all of that lies outside a plane."""
        normals, offset = self.planes[:, :3], self.planes[:, 3]
        nearest = normals @ box.middle_mm + np.abs(normals) @ box.half_mm + offset
        return bool((nearest < 0).any())
