"""3D sensor to camera, after SiM3D S.3: the same board points by both, then absolute orientation.

points in the picture -> PnP -> points in the camera frame  }
points in the cloud   -> plane, grey picture of it -> points } Kabsch-Umeyama -> check on others
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.calib.board.board import Board
from voxgate.calib.board.detect import find_board
from voxgate.calib.board.sightings import Sighting
from voxgate.calib.lens.lens import Lens
from voxgate.calib.lens.pnp import board_pose
from voxgate.calib.numerics.kabsch import Fit, absolute_orientation
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.lengths import unit_of_ratio
from voxgate.calib.place.points import Cloud
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform, apply

CHECK_EVERY = 4  # views left for the check
PX_PER_PITCH = 24.0
MAX_SIDE_PX = 4000
CENTRES_PER_DOT = 3  # a file with more rows per dot is a cloud, not a list of centres
NEAR_PLANE = 0.35  # of a pitch
PLANE_TRIES = 200
BAD_VIEW, LEAST_BAD_MM = 3.0, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """One view: the same board points (n, 3) in the camera's and in the sensor's frame, mm."""

    name: str
    camera_mm: Array
    sensor_mm: Array


@dataclass(frozen=True, slots=True, eq=False)
class SensorPose:
    """camera_from_sensor, of the views that were used; held_mm (m,): distances on the others;
    distance_mm: the board's from the sensor, median."""

    fit: Fit
    used: tuple[str, ...]
    view_rms_mm: Array
    held: tuple[str, ...]
    held_mm: Array
    bad: tuple[str, ...]
    distance_mm: float


def pair_points(sighting: Sighting, cloud: Cloud, board: Board, lens: Lens) -> Pairs | None:
    """The board's points by camera and sensor; None when one of them does not see it."""
    camera_from_board = board_pose(sighting, lens)
    by_sensor = points_in_cloud(cloud, board)
    if camera_from_board is None or by_sensor is None:
        return None
    number_of = {tuple(point): number for number, point in enumerate(board.points_mm.tolist())}
    numbers = {number_of[tuple(point)] for point in sighting.points_mm.tolist()}
    both = [number for number in by_sensor if number in numbers]
    if len(both) < 3:
        return None
    in_camera = apply(camera_from_board, board.points_mm[both])
    return Pairs(sighting.name, in_camera, np.array([by_sensor[number] for number in both]))


def locate_sensor(views: Sequence[Pairs]) -> SensorPose:
    """Fit on three of four views, check on the rest. Raises CalibrationError."""
    held = [view for index, view in enumerate(views) if index % CHECK_EVERY == CHECK_EVERY - 1]
    used = [view for index, view in enumerate(views) if index % CHECK_EVERY != CHECK_EVERY - 1]
    if not used:
        raise CalibrationError("the board was seen by camera and sensor together in no view")
    bad: list[str] = []
    while True:
        fit = _fit(used)
        rms = np.array([_rms(_distances(view, fit.a_from_b)) for view in used])
        worst = int(rms.argmax())
        if len(used) <= 3 or rms[worst] <= max(LEAST_BAD_MM, BAD_VIEW * float(np.median(rms))):
            break
        bad.append(f"{used[worst].name}: off by {rms[worst]:.2f} mm, was the board moved between?")
        del used[worst]
    _check_scale(fit.scale)
    distances = [_distances(view, fit.a_from_b) for view in held]
    return SensorPose(
        fit,
        tuple(view.name for view in used),
        rms,
        tuple(view.name for view in held),
        np.concatenate(distances) if distances else np.empty(0),
        tuple(bad),
        float(np.median([np.linalg.norm(view.sensor_mm.mean(axis=0)) for view in used])),
    )


def points_in_cloud(cloud: Cloud, board: Board) -> dict[int, Array] | None:
    """The board's points by number, in the cloud's frame; None when they are not found.

    A cloud with grey values is turned into a picture of its plane, on which the board is found as
    on any other; a short list without them is one of dot centres, as a sensor's software gives it.
    """
    count = len(board.points_mm)
    if len(cloud.points) <= CENTRES_PER_DOT * count and not board.squares:
        return _from_centres(cloud.points, board)
    if cloud.grey is None:
        raise CalibrationError(
            f"a cloud of {len(cloud.points)} points needs grey values to show the board; or give a "
            f"table of the {count} dot centres"
        )
    return _from_grey(cloud.points, cloud.grey, board)


# --- on the board's plane ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """origin (3,) and axes (3, 3) as rows: x right, y down, z away, seen from the sensor."""

    origin: Array
    axes: Array

    def flat(self, points: Array) -> Array:
        """(n, 3) in the plane's frame."""
        return np.asarray((points - self.origin) @ self.axes.T)

    def solid(self, flat: Array) -> Array:
        """(n, 3) of the plane's points (n, 2)."""
        return np.asarray(self.origin + flat @ self.axes[:2])


def _plane(points: Array, near_mm: float) -> _Plane | None:
    """The plane on which most points lie, by random triples, then least squares."""
    generator = np.random.default_rng(1)
    best = np.zeros(len(points), np.bool_)
    few = points[generator.choice(len(points), min(len(points), 5000), replace=False)]
    best_normal, best_origin, most = np.zeros(3), points[0], -1
    for _ in range(PLANE_TRIES):
        a, b, c = few[generator.choice(len(few), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        size = np.linalg.norm(normal)
        if size < 1e-9:
            continue
        inside = int((np.abs((few - a) @ (normal / size)) <= near_mm).sum())
        if inside > most:
            best_normal, best_origin, most = normal / size, a, inside
    best = np.abs((points - best_origin) @ best_normal) <= near_mm
    if best.sum() < 3:
        return None
    centre = points[best].mean(axis=0)
    _, _, axes = np.linalg.svd(points[best] - centre, full_matrices=False)
    return _Plane(centre, _seen_from_origin(axes[2], centre))


def _seen_from_origin(normal: Array, centre: Array) -> Array:
    away = normal * np.sign(normal @ centre or 1.0)
    helper = np.array([0.0, 1.0, 0.0]) if abs(away[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    down = helper - (helper @ away) * away
    down /= np.linalg.norm(down)
    return np.stack([np.cross(down, away), down, away])


def _from_centres(points: Array, board: Board) -> dict[int, Array] | None:
    plane = _plane(points, NEAR_PLANE * board.pitch_mm)
    if plane is None:
        return None
    flat = plane.flat(points)[:, :2]
    scale, origin, size = _canvas(flat, board)
    picture = np.full(size[::-1], 220, np.uint8)
    radius = round(board.feature_mm / 2 * scale)
    for x, y in ((flat - origin) * scale).tolist():
        cv2.circle(picture, (round(x), round(y)), radius, 30, -1, cv2.LINE_AA)
    seen = find_board(picture, board, "")
    if seen is None:
        return None
    found = seen.pixels / scale + origin
    nearest = np.linalg.norm(found[:, None] - flat[None], axis=2).argmin(axis=1)
    return {number: points[at] for number, at in enumerate(nearest.tolist())}


def _from_grey(points: Array, grey: Array, board: Board) -> dict[int, Array] | None:
    plane = _plane(points, NEAR_PLANE * board.pitch_mm)
    if plane is None:
        return None
    solid = plane.flat(points)
    near = np.abs(solid[:, 2]) <= NEAR_PLANE * board.pitch_mm
    flat = solid[near, :2]
    scale, origin, size = _canvas(flat, board, int(near.sum()))
    picture = _painted((flat - origin) * scale, grey[near], size)
    seen = find_board(picture, board, "")
    if seen is None:
        return None
    number_of = {tuple(point): number for number, point in enumerate(board.points_mm.tolist())}
    numbers = [number_of[tuple(point)] for point in seen.points_mm.tolist()]
    return dict(zip(numbers, plane.solid(seen.pixels / scale + origin), strict=True))


def _canvas(
    flat: Array, board: Board, count: int | None = None
) -> tuple[float, Array, tuple[int, int]]:
    """Pixels per mm, the picture's corner and its size; no finer than the cloud's points lie."""
    scale = PX_PER_PITCH / board.pitch_mm
    margin = 2 * board.pitch_mm
    extent = np.ptp(flat, axis=0)
    if count is not None:
        scale = min(scale, float(np.sqrt(count / max(1e-9, extent[0] * extent[1]))))
    scale = min(scale, MAX_SIDE_PX / float((extent + 2 * margin).max()))
    width, height = np.ceil((extent + 2 * margin) * scale).astype(int).tolist()
    return scale, flat.min(axis=0) - margin, (width, height)


def _painted(pixels: Array, grey: Array, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Mean grey of the points around every pixel, linear in their distance; holes are filled."""
    width, height = size
    total, weight = np.zeros((height + 1, width + 1)), np.zeros((height + 1, width + 1))
    low = np.floor(pixels).astype(int)
    share = pixels - low
    for across in (0, 1):
        for down in (0, 1):
            part = np.abs(1 - across - share[:, 0]) * np.abs(1 - down - share[:, 1])
            at = low[:, 1] + down, low[:, 0] + across
            np.add.at(total, at, part * grey)
            np.add.at(weight, at, part)
    blurred = cv2.GaussianBlur(np.dstack([total, weight]), (0, 0), 0.7)
    known = blurred[..., 1] > 1e-3
    low_grey, high_grey = np.percentile(grey, [1, 99])
    mean = np.where(known, blurred[..., 0] / np.maximum(blurred[..., 1], 1e-9), high_grey)
    stretched = 20 + 215 * (mean - low_grey) / max(1e-9, high_grey - low_grey)
    picture: npt.NDArray[np.uint8] = np.clip(stretched[:height, :width], 0, 255).astype(np.uint8)
    return picture


# --- fit -----------------------------------------------------------------------------------------


def _fit(views: Sequence[Pairs]) -> Fit:
    return absolute_orientation(
        np.concatenate([view.camera_mm for view in views]),
        np.concatenate([view.sensor_mm for view in views]),
    )


def _distances(view: Pairs, camera_from_sensor: Transform) -> Array:
    off = apply(camera_from_sensor, view.sensor_mm) - view.camera_mm
    return np.asarray(np.linalg.norm(off, axis=1))


def _rms(distances: Array) -> float:
    return float(np.sqrt((distances**2).mean()))


def _check_scale(scale: float) -> None:
    """Sensor and camera differ by a unit: 1000 is metres read as millimetres."""
    if 0.8 < scale < 1.25:
        return
    smaller = scale > 1
    size = f"{scale:.4g} times smaller" if smaller else f"{1 / scale:.4g} times larger"
    unit = unit_of_ratio(scale) if smaller else None
    is_in = f": it is in {unit} instead of mm" if unit else ""
    raise CalibrationError(
        f"the cloud is {size} than the pictures of the board say{is_in}; say --cloud-unit, and "
        "hold the board's description against a ruler"
    )
