"""The ray of every pixel, computed once: the lens model is inverted offline, not per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.lens_kernels import newton_step
from voxgate.runtime.nouns import DepthMap

CONVERGED = 1e-12  # of a coordinate without unit: rounding
NEWTON_STEPS = 20  # a usual lens needs 4; the rest is for strong wide angles
ROUND_TRIP_PX = 0.01  # a fiftieth of what the sharpest edge detector resolves

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Where each pixel of the distorted image looks.

    x, y: (h, w) float32, x/z and y/z of the pixel's ray in the camera frame (no unit).
    lens: (9,) float64 fx fy cx cy (px) k1 k2 p1 p2 k3, OpenCV's model, for kernels.
    sensed: of a sensor beside the camera; None where depth is on the camera's pixels.
    """

    x: Plane
    y: Plane
    lens: npt.NDArray[np.float64]
    sensed: Rays | None = None

    @property
    def shape(self) -> Rays:
        """Of the pixels that measured depth."""
        return self if self.sensed is None else self.sensed

    @classmethod
    def from_calibration(cls, calibration: Calibration) -> Rays:
        """Invert the lens model at every pixel by Newton's method.

        Raises CalibrationError where the model folds over, so that a pixel has no single ray.
        """
        lens = _lens(calibration)
        v, u = np.mgrid[0 : calibration.height_px, 0 : calibration.width_px].astype(np.float64)
        x, y = _undistort((u - lens[2]) / lens[0], (v - lens[3]) / lens[1], lens[4:])
        back_u, back_v = _pixel(x, y, lens)
        error_px = np.hypot(back_u - u, back_v - v)
        if not (error_px.max() < ROUND_TRIP_PX and _single_valued(x, y, lens[4:])):
            raise CalibrationError(
                "distortion cannot be inverted over the whole image "
                f"(round trip off by {np.nanmax(error_px):.3g} px): check the order k1 k2 p1 p2 k3"
            )
        aligned = calibration.sensor is None
        sensed = None if aligned else cls.from_calibration(calibration.of_depth)
        return cls(x.astype(np.float32), y.astype(np.float32), lens, sensed)

    def project(self, points_camera: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Pixels (..., 2) of points (..., 3) in the camera frame, mm, in front of the camera."""
        z = points_camera[..., 2]
        u, v = _pixel(points_camera[..., 0] / z, points_camera[..., 1] / z, self.lens)
        return np.stack([u, v], axis=-1)

    def points(self, depth_mm: DepthMap) -> npt.NDArray[np.float32]:
        """(h, w, 3) float32 points in the camera frame, mm; NaN where the depth is."""
        return np.stack([self.x * depth_mm, self.y * depth_mm, depth_mm], axis=-1)


@njit(inline="always")  # type: ignore[untyped-decorator, unused-ignore]
def project_point(x, y, z, lens):  # type: ignore[no-untyped-def]
    """Pixel (u, v) of one point of the camera frame, inside a kernel; z > 0."""
    a = x / z
    b = y / z
    r2 = a * a + b * b
    radial = 1.0 + r2 * (lens[4] + r2 * (lens[5] + r2 * lens[8]))
    u = a * radial + 2.0 * lens[6] * a * b + lens[7] * (r2 + 2.0 * a * a)
    v = b * radial + lens[6] * (r2 + 2.0 * b * b) + 2.0 * lens[7] * a * b
    return lens[0] * u + lens[2], lens[1] * v + lens[3]


def _lens(calibration: Calibration) -> npt.NDArray[np.float64]:
    k = calibration.camera_matrix
    if k[0, 1] != 0.0:
        raise CalibrationError(f"skewed pixels are not supported: K[0][1] must be 0, got {k[0, 1]}")
    return np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2], *calibration.distortion], np.float64)


Coordinates = npt.NDArray[np.float64]


def _pixel(x: Coordinates, y: Coordinates, lens: Coordinates) -> tuple[Coordinates, Coordinates]:
    xd, yd = _distort(x, y, lens[4:])
    return lens[0] * xd + lens[2], lens[1] * yd + lens[3]


def _distort(x: Coordinates, y: Coordinates, d: Coordinates) -> tuple[Coordinates, Coordinates]:
    r2 = x * x + y * y
    radial = 1 + r2 * (d[0] + r2 * (d[1] + r2 * d[4]))
    xy2 = 2 * x * y
    return (
        x * radial + d[2] * xy2 + d[3] * (r2 + 2 * x * x),
        y * radial + d[2] * (r2 + 2 * y * y) + d[3] * xy2,
    )


def _undistort(xd: Coordinates, yd: Coordinates, d: Coordinates) -> tuple[Coordinates, Coordinates]:
    (x, y), (next_x, next_y) = (xd, yd), (np.empty_like(xd), np.empty_like(yd))
    for step in range(NEWTON_STEPS):
        if newton_step(x, y, xd, yd, d, next_x, next_y) < CONVERGED:
            break
        spare = (np.empty_like(xd), np.empty_like(yd)) if step == 0 else (x, y)
        (x, y), (next_x, next_y) = (next_x, next_y), spare
    return x, y  # a lens that folds over diverges: the caller's check says so


def _single_valued(x: Coordinates, y: Coordinates, d: Coordinates) -> bool:
    """Whether the radial model still grows up to the image's corners (no pixel seen twice)."""
    radius = np.linspace(0, np.hypot(x, y).max(), 200)
    grown = radius * (1 + radius**2 * (d[0] + radius**2 * (d[1] + radius**2 * d[4])))
    return bool((np.diff(grown) > 0).all())
