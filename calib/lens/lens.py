"""A camera's lens: points of the camera frame to pixels and back, with derivatives.

Three models of OpenCV, all served: Brown-Conrady [k1, k2, p1, p2, k3]; rational
[k1, k2, p1, p2, k3, k4, k5, k6]; fisheye [k1, k2, k3, k4] (Kannala-Brandt).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
ORIGIN = np.zeros(3)


class LensModel(str, Enum):
    """How the lens bends rays."""

    BROWN = "brown"
    RATIONAL = "rational"
    FISHEYE = "fisheye"


COEFFICIENTS = {
    LensModel.BROWN: ("k1", "k2", "p1", "p2", "k3"),
    LensModel.RATIONAL: ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    LensModel.FISHEYE: ("k1", "k2", "k3", "k4"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Pixels (n, 2) and their derivatives.

    by_pose: (n, 2, 6) by a small motion of the points in the camera frame: rotation vector about
    the camera's centre, rad, and translation, mm. by_lens: (n, 2, 4 + coefficients).
    """

    pixels: Array
    by_pose: Array
    by_lens: Array


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """values: (4 + coefficients,) float64: fx fy cx cy px, then the distortion of the model."""

    model: LensModel
    width_px: int
    height_px: int
    values: Array

    def __post_init__(self) -> None:
        expected = (4 + len(COEFFICIENTS[self.model]),)
        if self.values.shape != expected or not np.isfinite(self.values).all():
            raise ValueError(
                f"a {self.model.value} lens has {expected[0]} finite numbers, got {self.values}"
            )

    @classmethod
    def plain(cls, model: LensModel, size_px: tuple[int, int], focal_px: float) -> Lens:
        """Without distortion, looking through the middle of the picture."""
        width, height = size_px
        start = [focal_px, focal_px, (width - 1) / 2, (height - 1) / 2]
        return cls(model, width, height, np.array(start + [0.0] * len(COEFFICIENTS[model])))

    @property
    def names(self) -> tuple[str, ...]:
        """What the values are called."""
        return ("fx", "fy", "cx", "cy", *COEFFICIENTS[self.model])

    @property
    def matrix(self) -> Array:
        """(3, 3) camera matrix K."""
        fx, fy, cx, cy = self.values[:4]
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])

    @property
    def distortion(self) -> Array:
        """The coefficients, in OpenCV's order."""
        return self.values[4:]

    def with_values(self, values: Array) -> Lens:
        """The same camera with other numbers."""
        return Lens(self.model, self.width_px, self.height_px, values)

    def linearise(self, points_camera: Array) -> Linear:
        """Project points (n, 3) of the camera frame, mm, and differentiate."""
        points = np.ascontiguousarray(points_camera, np.float64).reshape(-1, 1, 3)
        if self.model is LensModel.FISHEYE:
            pixels, jacobian = cv2.fisheye.projectPoints(
                points, ORIGIN, ORIGIN, self.matrix, self.distortion
            )
            order = [*range(8, 14), *range(8)]
        else:
            pixels, jacobian = cv2.projectPoints(
                points, ORIGIN, ORIGIN, self.matrix, self.distortion
            )
            order = list(range(10 + len(self.distortion)))
        by_all = np.asarray(jacobian, np.float64).reshape(len(points), 2, -1)[:, :, order]
        return Linear(
            np.asarray(pixels, np.float64).reshape(-1, 2), by_all[:, :, :6], by_all[:, :, 6:]
        )

    def project(self, points_camera: Array) -> Array:
        """Pixels (n, 2) of points (n, 3) of the camera frame, mm, in front of the camera."""
        return self.linearise(points_camera).pixels

    def normalised(self, pixels: Array) -> Array:
        """(n, 2) x/z and y/z of the rays through pixels (n, 2)."""
        points = np.ascontiguousarray(pixels, np.float64).reshape(-1, 1, 2)
        if self.model is LensModel.FISHEYE:
            found = cv2.fisheye.undistortPoints(points, self.matrix, self.distortion)
        else:
            criteria = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 40, 1e-10)
            found = _undistort(points, self.matrix, self.distortion, criteria)
        return np.asarray(found, np.float64).reshape(-1, 2)


def _undistort(
    points: Array, matrix: Array, distortion: Array, criteria: tuple[int, int, float]
) -> Any:
    """Version 4 of OpenCV takes the criteria under another name."""
    if hasattr(cv2, "undistortPointsIter"):
        return cv2.undistortPointsIter(points, matrix, distortion, None, None, criteria)
    return cv2.undistortPoints(points, matrix, distortion, None, None, None, criteria)
