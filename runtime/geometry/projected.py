"""Which pixel of a view shows a point, and how far away the point is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform, apply, invert


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
