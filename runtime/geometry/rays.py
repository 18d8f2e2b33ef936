"""The ray of every pixel, computed once: the lens model is inverted offline, not per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.lens import SIZE, numbers, pixel, single_valued, undistort
from voxgate.runtime.nouns import DepthMap

ROUND_TRIP_PX = 0.01  # a fiftieth of what the sharpest edge detector resolves

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Where each pixel of the distorted image looks.

    x, y: (h, w) float32, x/z and y/z of the pixel's ray in the camera frame (no unit).
    lens: (13,) float64, for kernels (see lens.py): fx fy cx cy (px), coefficients, whether it is a
        fisheye; what is left away is 0.
    sensed: of a sensor beside the camera; None where depth is on the camera's pixels.
    """

    x: Plane
    y: Plane
    lens: npt.NDArray[np.float64]
    sensed: Rays | None = None

    def __post_init__(self) -> None:
        if len(self.lens) < SIZE:  # a kernel reads all of them
            object.__setattr__(self, "lens", np.pad(self.lens, (0, SIZE - len(self.lens))))

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
        x, y = undistort((u - lens[2]) / lens[0], (v - lens[3]) / lens[1], lens)
        back_u, back_v = pixel(x, y, lens)
        error_px = np.hypot(back_u - u, back_v - v)
        if not (error_px.max() < ROUND_TRIP_PX and single_valued(x, y, lens)):
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
        u, v = pixel(points_camera[..., 0] / z, points_camera[..., 1] / z, self.lens)
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
    if lens[12] != 0.0:
        r = np.sqrt(r2)
        t = np.arctan(r)
        t2 = t * t
        bent = t * (1.0 + t2 * (lens[4] + t2 * (lens[5] + t2 * (lens[6] + t2 * lens[7]))))
        stretch = bent / r if r > 0.0 else 1.0
        return lens[0] * (a * stretch) + lens[2], lens[1] * (b * stretch) + lens[3]
    radial = 1.0 + r2 * (lens[4] + r2 * (lens[5] + r2 * lens[8]))
    radial /= 1.0 + r2 * (lens[9] + r2 * (lens[10] + r2 * lens[11]))
    u = a * radial + 2.0 * lens[6] * a * b + lens[7] * (r2 + 2.0 * a * a)
    v = b * radial + lens[6] * (r2 + 2.0 * b * b) + 2.0 * lens[7] * a * b
    return lens[0] * u + lens[2], lens[1] * v + lens[3]


@njit(inline="always")  # type: ignore[untyped-decorator, unused-ignore]
def plain(lens):  # type: ignore[no-untyped-def]
    """Whether the lens is Brown's: a row of pixels is projected by vector instructions then."""
    return lens[9] == 0.0 and lens[10] == 0.0 and lens[11] == 0.0 and lens[12] == 0.0


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def project_row(depth, rx, ry, t, lens, u, v, w):  # type: ignore[no-untyped-def]
    """Pixel (u, v) and depth w in a camera of one row of a sensor, all (n,) float32, inside a
    kernel; w is NaN without a return. t: camera_from_sensor, three rows as one tuple.

    In float32 and without branches, so that the compiler uses vector instructions.
    """
    t0, t1, t2, t3 = np.float32(t[0]), np.float32(t[1]), np.float32(t[2]), np.float32(t[3])
    t4, t5, t6, t7 = np.float32(t[4]), np.float32(t[5]), np.float32(t[6]), np.float32(t[7])
    t8, t9, t10, t11 = np.float32(t[8]), np.float32(t[9]), np.float32(t[10]), np.float32(t[11])
    fx, fy = np.float32(lens[0]), np.float32(lens[1])
    cx, cy = np.float32(lens[2]), np.float32(lens[3])
    k1, k2, k3 = np.float32(lens[4]), np.float32(lens[5]), np.float32(lens[8])
    p1, p2 = np.float32(lens[6]), np.float32(lens[7])
    one, two = np.float32(1.0), np.float32(2.0)
    if not plain(lens):
        for n in range(depth.size):
            d = depth[n]
            x = (t0 * rx[n] + t1 * ry[n] + t2) * d + t3
            y = (t4 * rx[n] + t5 * ry[n] + t6) * d + t7
            w[n] = (t8 * rx[n] + t9 * ry[n] + t10) * d + t11
            u[n], v[n] = project_point(x, y, w[n], lens)
        return
    for n in range(depth.size):
        d = depth[n]
        x = (t0 * rx[n] + t1 * ry[n] + t2) * d + t3
        y = (t4 * rx[n] + t5 * ry[n] + t6) * d + t7
        z = (t8 * rx[n] + t9 * ry[n] + t10) * d + t11
        a = x / z
        b = y / z
        r2 = a * a + b * b
        radial = one + r2 * (k1 + r2 * (k2 + r2 * k3))
        ab = two * a * b
        u[n] = fx * (a * radial + p1 * ab + p2 * (r2 + two * a * a)) + cx
        v[n] = fy * (b * radial + p1 * (r2 + two * b * b) + p2 * ab) + cy
        w[n] = z


def _lens(calibration: Calibration) -> npt.NDArray[np.float64]:
    k = calibration.camera_matrix
    if k[0, 1] != 0.0:
        raise CalibrationError(f"skewed pixels are not supported: K[0][1] must be 0, got {k[0, 1]}")
    return numbers(k, calibration.distortion, calibration.lens_model)
