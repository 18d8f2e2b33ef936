"""Where a defect can be put: flat enough for a plane, seen by three views and more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.benchmarks.limits.photo import TABLE_MM, Array, Photo

LEAST_VIEWS = 3
PATCH_MM = 4.0  # radius in which the surface must be flat
FLAT_MM = 0.15  # rms, with the sensor's 0.05 mm in it
FACING = 0.35  # 70 degrees: whoever looks along a surface does not see it
SEEN = 0.6  # of the patch's pixels, with a return
APART_MM = 30.0  # so that no defect of a part reaches into another's place
TRIES = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """centre_mm and three unit vectors, part frame: two in the plane and its normal, outward."""

    centre_mm: Array
    along: Array
    across: Array
    normal: Array

    def in_plane(self, points_mm: Array) -> tuple[Array, Array, Array]:
        """(n,) along, across and above the plane, of points (n, 3)."""
        offset = points_mm - self.centre_mm
        return offset @ self.along, offset @ self.across, offset @ self.normal


def places(views: Sequence[Photo], count: int, rng: np.random.Generator) -> list[Place]:
    """So many, APART_MM from each other. Raises ValueError when the part has not so many."""
    cloud = np.concatenate(
        [p[np.isfinite(p[..., 2]) & (p[..., 2] > TABLE_MM)] for p in (v.points_mm for v in views)]
    )
    found: list[Place] = []
    for _ in range(TRIES):
        centre = cloud[rng.integers(len(cloud))]
        if any(np.linalg.norm(centre - other.centre_mm) < APART_MM for other in found):
            continue
        place = _place(centre, views, rng)
        if place is not None:
            found.append(place)
        if len(found) == count:
            return found
    raise ValueError(f"only {len(found)} of {count} places found on this part")


def _place(centre: Array, views: Sequence[Photo], rng: np.random.Generator) -> Place | None:
    near = [_near(centre, view) for view in views]
    points = np.concatenate(near)
    if len(points) < 30:
        return None
    middle = points.mean(axis=0)
    _, spread, axes = np.linalg.svd(points - middle, full_matrices=False)
    normal = axes[2]
    if spread[2] / np.sqrt(len(points)) > FLAT_MM:
        return None
    most = near[int(np.argmax([len(each) for each in near]))]
    eye = next(view.eye_mm for view, each in zip(views, near, strict=True) if each is most)
    normal = normal * np.sign(normal @ (eye - centre))
    if sum(_sees(centre, normal, view, each) for view, each in zip(views, near, strict=True)) < (
        LEAST_VIEWS
    ):
        return None
    turn = rng.uniform(0, np.pi)
    along = np.cos(turn) * axes[0] + np.sin(turn) * axes[1]
    on_plane = centre - ((centre - middle) @ normal) * normal
    return Place(on_plane, along, np.cross(normal, along), normal)


def _near(centre: Array, view: Photo) -> Array:
    """(n, 3) of a view's points those in the patch."""
    (u, v), height, width = view.pixels(centre[None])[0], *view.image.shape
    depth = float((centre - view.eye_mm) @ view.part_from_camera[:3, 2])
    half = int(np.ceil(PATCH_MM * view.lens.matrix[0, 0] / depth)) + 1
    if not (half <= u < width - half and half <= v < height - half):
        return np.zeros((0, 3))
    row, column = round(v), round(u)
    window = view.points_mm[row - half : row + half + 1, column - half : column + half + 1]
    window = window.reshape(-1, 3)
    near = window[np.linalg.norm(window - centre, axis=-1) < PATCH_MM]
    return np.asarray(near, np.float64)


def _sees(centre: Array, normal: Array, view: Photo, near: Array) -> bool:
    towards = view.eye_mm - centre
    distance = float(np.linalg.norm(towards))
    facing = float(normal @ towards) / distance
    pixel_mm = distance / view.lens.matrix[0, 0]
    expected = np.pi * PATCH_MM**2 * facing / pixel_mm**2
    return facing > FACING and len(near) > SEEN * expected
