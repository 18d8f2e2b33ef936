"""Points and voxels onto pixels: a pinhole camera, a z-buffer, and light that shows shape.

Pictures here are float32, rows by columns; a `Canvas` is (h, w, 3) BGR in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float32]
"""(n, 3) float32, part frame, mm."""

NEAR_MM = 10.0
TINY = 1e-6  # weight below which a pixel holds nothing
DISTANCE = 2.2  # of the eye, in diagonals of what it looks at
MARGIN = 0.07
# points this close behind the nearest one belong to the same surface and are averaged
SKIN_MM = 2.0
# eye-dome lighting: how dark a pixel gets that lies behind its neighbours
EDGE_STRENGTH = 220.0
EDGE_REACH_PX = (1, 3)

_FACES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
LIGHT = np.array([0.35, -0.45, 0.82], dtype=np.float32)
AMBIENT = 0.55
GRID_LINE = 0.72


@dataclass(frozen=True, slots=True)
class Eye:
    """Where the picture is taken from: (4, 4) eye_from_part, focal length and centre in px."""

    eye_from_part: npt.NDArray[np.float64]
    focal_px: float
    centre_px: tuple[float, float]
    width_px: int
    height_px: int

    @classmethod
    def framing(
        cls, points: Points, azimuth_deg: float, elevation_deg: float, size_px: tuple[int, int]
    ) -> Eye:
        """Look at `points` from a direction, so that they just fill the picture but its margin."""
        low, high = points.min(axis=0), points.max(axis=0)
        distance_mm = DISTANCE * float(np.linalg.norm(high - low))
        rotation, out = _looking(azimuth_deg, elevation_deg)
        eye_from_part = np.eye(4)
        eye_from_part[:3, :3] = rotation
        eye_from_part[:3, 3] = -rotation @ ((low + high) / 2 + distance_mm * out)
        unit, _ = cls(eye_from_part, 1.0, (0.0, 0.0), *size_px).pixels(points)
        low, high = unit.min(axis=0), unit.max(axis=0)
        room_px = np.array(size_px) * (1 - 2 * MARGIN)
        focal_px = float((room_px / np.maximum(high - low, TINY)).min())
        x, y = np.array(size_px) / 2 - focal_px * (low + high) / 2
        return cls(eye_from_part, focal_px, (float(x), float(y)), *size_px)

    def pixels(self, points: Points) -> tuple[Floats, Floats]:
        """(n, 2) pixel coordinates and (n,) distance along the axis, mm; behind the eye: inf."""
        turned = points @ self.eye_from_part[:3, :3].T.astype(np.float32)
        turned += self.eye_from_part[:3, 3].astype(np.float32)
        z_mm = np.where(turned[:, 2] > NEAR_MM, turned[:, 2], np.inf).astype(np.float32)
        centre = np.array(self.centre_px, dtype=np.float32)
        return turned[:, :2] * np.float32(self.focal_px) / z_mm[:, None] + centre, z_mm


def _looking(
    azimuth_deg: float, elevation_deg: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(3, 3) rotation eye_from_part and the direction from the part to the eye."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    flat = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    out = np.cos(elevation) * flat + np.array([0.0, 0.0, np.sin(elevation)])
    right = np.array([-flat[1], flat[0], 0.0])
    return np.stack([right, np.cross(-out, right), -out]), out


@dataclass(frozen=True, slots=True)
class Layer:
    """What one cloud looks like: (h, w) distance mm (inf: nothing) and (h, w, c) mean values."""

    z_mm: Floats
    values: Floats


def splat(eye: Eye, points: Points, values: Floats, weights: Floats, size_px: int) -> Layer:
    """Every point as a square of `size_px`; the nearest surface wins, its points are averaged.

    values: (n, c), weights: (n,), both float32. The squares are made by filters: the nearest
    distance by an erosion, the means by a box filter over the points that are in front.
    """
    uv, z_mm = eye.pixels(points)
    pixel = np.rint(uv).astype(np.int64)
    inside = np.isfinite(z_mm) & ((pixel >= 0) & (pixel < (eye.width_px, eye.height_px))).all(1)
    flat = pixel[inside, 1] * eye.width_px + pixel[inside, 0]
    z_mm, values, weights = z_mm[inside], values[inside], weights[inside]
    shape = (eye.height_px, eye.width_px)
    square = np.ones((size_px, size_px), np.uint8)

    nearest = np.full(shape, np.inf, dtype=np.float32)
    np.minimum.at(nearest.reshape(-1), flat, z_mm)
    nearest = np.asarray(cv2.erode(nearest, square), dtype=np.float32)
    front = z_mm <= nearest.reshape(-1)[flat] + SKIN_MM
    at, weights, values = flat[front], weights[front], values[front]
    total = _spread(_summed(at, weights, shape), size_px)
    mean = np.empty((*shape, values.shape[1]), dtype=np.float32)
    for channel in range(values.shape[1]):
        summed = _spread(_summed(at, weights * values[:, channel], shape), size_px)
        mean[..., channel] = summed / np.maximum(total, TINY)
    return Layer(np.where(total > TINY, nearest, np.float32(np.inf)), mean)


def _summed(
    at: npt.NDArray[np.int64], weights: Floats, shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    summed = np.bincount(at, weights, shape[0] * shape[1])
    return np.asarray(summed, dtype=np.float64).reshape(shape)


def _spread(picture: npt.NDArray[np.float64], size_px: int) -> npt.NDArray[np.float64]:
    spread = cv2.boxFilter(picture, -1, (size_px, size_px), normalize=False)
    return np.asarray(spread, dtype=np.float64)


def edge_light(z_mm: Floats) -> Floats:
    """(h, w) in 0..1: eye-dome lighting, dark where a neighbour stands in front."""
    depth = np.where(np.isfinite(z_mm), np.log(np.maximum(z_mm, NEAR_MM)), np.nan)
    behind = np.zeros_like(depth)
    count = 0
    for reach in EDGE_REACH_PX:
        for axis, shift in ((0, reach), (0, -reach), (1, reach), (1, -reach)):
            step = np.nan_to_num(depth - np.roll(depth, shift, axis))
            behind += np.clip(step / reach, 0.0, 0.02)
            count += 1
    light: Floats = np.exp(-EDGE_STRENGTH / count * behind).astype(np.float32)
    return light


def cubes(
    ijk: npt.NDArray[np.int32],
    origin_mm: npt.NDArray[np.float64],
    voxel_mm: float,
    spacing_mm: float,
) -> tuple[Points, npt.NDArray[np.int64], Floats]:
    """The outer faces of a set of voxels as points: (m, 3) points, (m,) row in ijk, (m,) light.

    A face between two voxels of the set is not drawn; the border of a face is a darker line.
    """
    steps = max(4, int(np.ceil(voxel_mm / spacing_mm)) + 1)
    low = ijk.min(axis=0) - 1
    shape = ijk.max(axis=0) - low + 2
    taken = np.zeros(shape, dtype=bool)
    taken[tuple((ijk - low).T)] = True
    points, rows, lights = [], [], []
    for face in _FACES:
        outer = np.flatnonzero(~taken[tuple((ijk - low + face).T)])
        patch, line = _patch(face, steps)
        corners = ijk[outer, None, :] + patch[None]
        points.append((origin_mm + voxel_mm * corners).reshape(-1, 3).astype(np.float32))
        rows.append(np.repeat(outer, len(patch)))
        light = AMBIENT + (1 - AMBIENT) * max(0.0, float(face @ LIGHT))
        lights.append(np.tile(np.where(line, light * GRID_LINE, light), len(outer)))
    return np.concatenate(points), np.concatenate(rows), np.concatenate(lights).astype(np.float32)


def _patch(
    face: npt.NDArray[np.int64], steps: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """One face of the unit cube as (steps**2, 3) points, and which of them lie on its border."""
    axis = int(np.flatnonzero(face)[0])
    across = [other for other in range(3) if other != axis]
    a, b = np.meshgrid(np.linspace(0, 1, steps), np.linspace(0, 1, steps))
    patch = np.zeros((steps * steps, 3))
    patch[:, across[0]], patch[:, across[1]] = a.ravel(), b.ravel()
    patch[:, axis] = 1.0 if face[axis] > 0 else 0.0
    border = np.zeros((steps, steps), dtype=bool)
    border[[0, -1], :] = border[:, [0, -1]] = True
    return patch, border.ravel()
