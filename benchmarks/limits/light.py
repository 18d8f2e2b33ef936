"""The light of a cell, read off a good part: one lamp and what comes from everywhere.

The camera's tone curve is a square root: grey squared grows with the light. A surface of normal n
gets ambient + lamp * max(0, n . to_lamp).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.benchmarks.limits.photo import TABLE_MM, Array, Photo

STEP_PX = 6
DIRECTIONS = 400  # of the upper half: 4 degrees apart
ROUNDS = 8  # of reweighting towards the least absolute error
LEAST_AMBIENT = 0.15  # of the lamp: nothing in a hall is black


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """to_lamp (3,) part frame, unit; ambient and lamp in common, free units."""

    to_lamp: Array
    ambient: float
    lamp: float

    def falls(self, normals: Array, lamp_seen: Array, sky_seen: Array) -> Array:
        """(n,) light on surface of normals (n, 3) that sees so much of lamp and sky, 0 to 1."""
        facing = np.maximum(0.0, normals @ self.to_lamp)
        return self.ambient * sky_seen + self.lamp * lamp_seen * facing


def light_of(views: Sequence[Photo]) -> Light:
    """The light that explains grey by normal best, over all views."""
    found = [_samples(photo) for photo in views]
    normals, squared = (np.concatenate(each) for each in zip(*found, strict=True))
    fits = [_fit(normals @ direction, squared) for direction in _upper_half()]
    best = min(range(len(fits)), key=lambda number: fits[number][2])
    ambient, lamp, _ = fits[best]
    lamp = max(lamp, 1e-6)
    return Light(_upper_half()[best], max(ambient, LEAST_AMBIENT * lamp), lamp)


def _samples(photo: Photo) -> tuple[Array, Array]:
    """Normals (n, 3), part frame, and squared grey (n,) of every sixth pixel."""
    points = photo.points_mm
    rows, columns = slice(3, -3, STEP_PX), slice(3, -3, STEP_PX)
    right = points[3:-3, 6:][::STEP_PX, ::STEP_PX] - points[3:-3, :-6][::STEP_PX, ::STEP_PX]
    down = points[6:, 3:-3][::STEP_PX, ::STEP_PX] - points[:-6, 3:-3][::STEP_PX, ::STEP_PX]
    normal = np.cross(down, right)
    with np.errstate(invalid="ignore"):
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    steep = np.maximum(np.linalg.norm(right, axis=-1), np.linalg.norm(down, axis=-1))
    high = points[rows, columns, 2] > TABLE_MM
    good = np.isfinite(normal).all(axis=-1) & (steep < 12.0) & high
    grey = photo.image[rows, columns].astype(float)
    towards = np.sign(((photo.eye_mm - points[rows, columns]) * normal).sum(axis=-1))
    return (normal * towards[..., None])[good], (grey / 255)[good] ** 2


def _fit(cosine: Array, squared: Array) -> tuple[float, float, float]:
    """ambient, lamp and the mean absolute error of the best of both."""
    columns = np.column_stack([np.ones_like(cosine), np.maximum(0.0, cosine)])
    weight = np.ones_like(squared)
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(columns * root[:, None], squared * root, rcond=None)[0]
        error = np.abs(columns @ solution - squared)
        weight = 1 / np.maximum(error, 0.01)
    return float(solution[0]), float(solution[1]), float(error.mean())


def _upper_half() -> Array:
    """(n, 3) unit vectors, evenly spread by the golden angle."""
    number = np.arange(DIRECTIONS) + 0.5
    z = number / DIRECTIONS
    angle = number * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - z * z)
    return np.column_stack([flat * np.cos(angle), flat * np.sin(angle), z])
