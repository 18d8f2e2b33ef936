"""Do picture and shape still agree? Asked of every job of a camera beside a 3D sensor.

The golden picture is laid over this one through the sensor's surface. If camera and sensor were
moved against each other, all of it lies beside the picture, in every view alike: the small motion
of the camera that would bring all views' grey levels together, by least squares over the slopes of
the golden picture (Lucas and Kanade, 1981) with Geman-McClure weights, so that a mark does not
pull. Aligned depth cannot be told from its picture like this, and need not.

A slope holds for a pixel or two. Pictures that have slopes enough and differ too much for them are
looked for beside their place, by whole pixels: a camera that moved further shows in all views
alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.geometry.drift import (
    displacements,
    motion,
    pixels_moved,
    rms,
    sigma_mm,
    spread,
)
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Drift, GreyImage, View

Array = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SMOOTH_PX = 1.5  # a slope is one over a pixel or two, and noise is not
LIGHT_PX = 12.0  # light changes slower
COARSE = 4  # and is found on a picture this much smaller
INSIDE_PX = 9  # a window that must lie on compared surface: off it the golden picture is this one
LEAST_SLOPE = 4.0  # grey levels a pixel: what is flatter says nothing
MAX_POINTS = 3000  # of a view, the steepest
BELIEVED_MM = 0.5  # of deviation: elsewhere the surface is another one
SCALES_GREY = (20.0, 12.0, 8.0, 6.0, 6.0)  # of the robust weights, one per step
PATCH_PX = 30.0  # neighbouring pixels err alike: so many count as one
LEAST_NOISE = 1.0  # grey levels
MIN_ROWS = 1000
MAX_SIGMA_MM = 0.1  # beyond it the pictures show too little to tell
REACH_PX = 8  # of the search: further off, no good part is taken for one
LEAST_FAR_PX = 1.0
BETTER = 0.05  # of the correlation there, against the one in place
# prior, one sigma: as of the drift of depth
PRIOR = np.repeat([np.radians(1.0), 5.0], 3)


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """A picture and the golden one laid over it, where they were compared, and how far that is."""

    own: GreyImage
    golden: GreyImage
    known: Mask
    depth_mm: float

    def beside_px(self) -> Array:
        """(2,) across and down, how far beside its place it lies; 0 where it fits no better there,
        NaN where too little was compared."""
        within = np.s_[REACH_PX:-REACH_PX, REACH_PX:-REACH_PX]
        mask = self.known[within].astype(np.float32)
        if mask.sum() < MIN_ROWS:
            return np.full(2, np.nan)
        own, golden = self.own.astype(np.float32), self.golden[within].astype(np.float32)
        like = cv2.matchTemplate(own, golden, cv2.TM_CCOEFF_NORMED, mask=mask)
        down, across = np.unravel_index(int(np.argmax(like)), like.shape)
        if not like[down, across] > like[REACH_PX, REACH_PX] + BETTER:
            return np.zeros(2)
        return np.array([across, down], np.float64) - REACH_PX


class PictureGauge:
    """Takes the views of one part one by one; `measure` at the end."""

    def __init__(self, rays: Rays) -> None:
        self._rays = rays
        self._rows: list[Array] = []
        self._points: list[Array] = []
        self._pairs: list[_Pair] = []

    def clear(self) -> None:
        """Forget the last part."""
        self._rows.clear()
        self._points.clear()
        self._pairs.clear()

    def add(self, view: View, registered: Registered) -> None:
        """One view with the golden picture as laid over it; nothing where depth is aligned."""
        if registered.sensed is None or view.depth_mm is None:
            return
        known = np.abs(registered.deviation_mm) <= BELIEVED_MM  # a NaN is not
        if not known.any():
            return
        box = _around(known)
        difference, across, down = _slopes(view.image[box], registered.reference[box])
        rows, columns = _steepest(np.hypot(across, down), known[box])
        depth = view.depth_mm[box][rows, columns].astype(np.float64)
        x, y = (plane[box][rows, columns] * depth for plane in (self._rays.x, self._rays.y))
        points = np.stack([x, y, depth], axis=1)
        # where the surface's point is seen moves by so much, against the camera's own motion
        slopes = np.stack([across[rows, columns], down[rows, columns]], axis=1)
        by_twist = np.einsum("np,npk->nk", slopes, _flow(points, self._rays))
        self._rows.append(np.column_stack([difference[rows, columns], by_twist]))
        self._points.append(points)
        middle_mm = float(np.median(view.depth_mm[known]))
        self._pairs.append(_Pair(view.image[box], registered.reference[box], known[box], middle_mm))

    def measure(self) -> Drift | None:
        """How far beside its place on the surface a picture lies, rms; None when the pictures show
        too little to tell.

        Half a millimetre along the optical axis is a fraction of that, and less than good parts
        differ by in size.
        """
        if sum(map(len, self._rows)) < MIN_ROWS:
            return None
        rows, points = np.concatenate(self._rows), np.concatenate(self._points)
        twist, covariance = _solve(rows)
        by_twist = displacements(points)
        if sigma_mm(spread(by_twist), len(points), covariance) > MAX_SIGMA_MM:
            return self._far() if self._has_texture(rows, by_twist) else None
        moved = by_twist @ twist
        beside_px = pixels_moved(moved, points, self._rays)
        return Drift(
            drift_mm=rms(beside_px * (points[:, 2:] / self._rays.lens[:2])),
            drift_px=rms(beside_px),
            residual_mm=0.0,
            camera_from_before=motion(twist),
            compared=len(rows),
        )

    def _has_texture(self, rows: Array, by_twist: Array) -> bool:
        """Whether pictures that fit would tell: slopes enough, were it not for what they differ."""
        like = rows[:, 1:].T @ rows[:, 1:] / (PATCH_PX * LEAST_NOISE**2) + np.diag(1 / PRIOR**2)
        covariance = np.asarray(np.linalg.inv(like))
        return sigma_mm(spread(by_twist), len(by_twist), covariance) <= MAX_SIGMA_MM

    def _far(self) -> Drift | None:
        """By whole pixels; None where they do not lie beside their place, or not all alike."""
        found = np.array([pair.beside_px() for pair in self._pairs])
        found = found[np.isfinite(found).all(axis=1)]
        if not len(found):
            return None
        beside_px = np.median(found, axis=0)
        alike = np.abs(found - beside_px).max(axis=1) <= LEAST_FAR_PX
        far_px = float(np.hypot(*beside_px))
        if far_px < LEAST_FAR_PX or alike.mean() <= 0.5:
            return None
        depth_mm = float(np.median([pair.depth_mm for pair in self._pairs]))
        across_mm, down_mm = beside_px * depth_mm / self._rays.lens[:2]
        return Drift(
            drift_mm=float(np.hypot(across_mm, down_mm)),
            drift_px=far_px,
            residual_mm=0.0,
            camera_from_before=motion(np.array([0, 0, 0, -across_mm, -down_mm, 0])),
            compared=sum(map(len, self._rows)),
        )


def _slopes(image: GreyImage, reference: GreyImage) -> tuple[Plane, Plane, Plane]:
    """What the picture has more than the golden one under its light, and the latter's slopes."""
    own, golden = (_smooth(each.astype(np.float32), SMOOTH_PX) for each in (image, reference))
    light = (_slow(own) + 1) / (_slow(golden) + 1)
    lit = golden * cv2.resize(light, own.shape[::-1])
    across, down = (
        cv2.Sobel(lit, cv2.CV_32F, *of, ksize=3, scale=1 / 8) for of in ((1, 0), (0, 1))
    )
    return np.asarray(own - lit), np.asarray(across), np.asarray(down)


def _slow(picture: Plane) -> Plane:
    coarse = cv2.resize(picture, None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA)
    return _smooth(np.asarray(coarse, np.float32), LIGHT_PX / COARSE)


def _smooth(picture: Plane, sigma_px: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.float32)


def _around(known: Mask) -> tuple[slice, slice]:
    """Rows and columns of the picture in which something was compared, with room for light."""
    room = int(2 * LIGHT_PX)
    rows, columns = (
        slice(max(int(at[0]) - room, 0), int(at[-1]) + 1 + room)
        for at in (np.flatnonzero(known.any(axis=axis)) for axis in (1, 0))
    )
    return rows, columns


def _steepest(slope: Plane, known: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of pixels inside what was compared, where grey changes most."""
    inside = cv2.erode(known.view(np.uint8), np.ones((INSIDE_PX, INSIDE_PX), np.uint8)) > 0
    at = np.flatnonzero(inside & (slope >= LEAST_SLOPE))
    if len(at) > MAX_POINTS:
        at = at[np.argpartition(slope.reshape(-1)[at], -MAX_POINTS)[-MAX_POINTS:]]
    rows, columns = np.unravel_index(at, slope.shape)
    return rows, columns


def _flow(points: Array, rays: Rays) -> Array:
    """(n, 2, 6): by how many pixels the golden picture must be looked up elsewhere."""
    moves = displacements(points)
    z = points[:, 2]
    zero = np.zeros_like(z)
    fx, fy = rays.lens[:2]
    project = np.stack(
        [fx / z, zero, -fx * points[:, 0] / z**2, zero, fy / z, -fy * points[:, 1] / z**2], axis=1
    ).reshape(-1, 2, 3)
    return np.asarray(project @ moves)


def _solve(rows: Array) -> tuple[Array, Array]:
    """The camera's small motion (6,) that makes the pictures agree, and its covariance."""
    prior = np.diag(1 / PRIOR**2)
    twist = np.zeros(6)
    hessian = prior
    for scale in SCALES_GREY:
        left = rows[:, 0] - rows[:, 1:] @ twist
        weight = (scale**2 / (scale**2 + left**2)) ** 2
        noise = max(LEAST_NOISE, 1.4826 * float(np.median(np.abs(left))))
        weighted = rows[:, 1:] * (weight / (PATCH_PX * noise**2))[:, None]
        hessian = weighted.T @ rows[:, 1:] + prior
        twist = np.linalg.solve(hessian, weighted.T @ rows[:, 0])
    return twist, np.asarray(np.linalg.inv(hessian))
