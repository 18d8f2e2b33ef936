"""Our whole calibration and OpenCV's on the same rendered pictures, each with a fault of real ones.

Corners are found in pictures that went through lens, blur, noise and a bent board; the robot errs.
OpenCV's chain is calibrateCamera and then each of its hand-eye methods on the poses that it gave;
ours is `calib intrinsics` and `calib handeye --refine-lens`. Hand-eye methods only in OpenCV 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from voxgate.benchmarks.calibration.calib_cell import (
    SIZE_PX,
    CalibCell,
    Camera,
    Noise,
    make_cell,
    with_outliers,
)
from voxgate.benchmarks.calibration.handeye_methods import METHODS, opencv_handeye
from voxgate.calib.board.detect import find_board
from voxgate.calib.board.sightings import Sightings
from voxgate.calib.handeye.handeye import Options, Shot, calibrate_handeye
from voxgate.calib.handeye.outliers import Expected, OutlierPose
from voxgate.calib.lens.intrinsics import calibrate_lens
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, motion, twist_of
from voxgate.runtime.transforms import Transform, apply

VIEWS = 20
RESAMPLED = 4000
WORLD = {"shah": 0, "li": 1}  # cv2.CALIB_ROBOT_WORLD_HAND_EYE_*, which OpenCV 5 does not have
CAMERA = "calibrateCamera"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is not as it should be. wrong: poses that are off by 2 mm and 0.3 deg."""

    blur_px: float = 0.6
    bow_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    robot: Noise = field(default_factory=Noise)
    wrong: int = 0


FAULTS = {
    "none": Fault(),
    "blurred": Fault(blur_px=1.8),
    "bent board": Fault(bow_mm=(0.3, -0.15, 0.1)),
    "robot errs by 0.15 mm, 0.04 deg": Fault(robot=Noise(robot_mm=0.15, robot_deg=0.04)),
    "2 wrong poses": Fault(wrong=2),
    "all of them": Fault(1.8, (0.3, -0.15, 0.1), Noise(robot_mm=0.15, robot_deg=0.04), 2),
}
Errors = dict[str, tuple[float, ...]]
"""By method: of the lens px; of a hand-eye method mm and degrees."""


def compare(seed: int, fault: Fault) -> tuple[Errors, Errors]:
    """Errors of the lens, rms px once the camera's place suits it, and of the hand-eye, mm, deg."""
    cell = make_cell(seed, VIEWS, fault.robot)
    seen, reported = _pictures(cell, seed, fault)
    poses = with_outliers(reported, seed, fault.wrong, 2.0, 0.3) if fault.wrong else reported
    lens = calibrate_lens(seen, SIZE_PX)
    rows = [seen.names.index(name) for name in lens.sightings.names]
    shot = Shot(lens.sightings, lens.poses, poses[rows])
    ours = calibrate_handeye(shot, lens.lens, Options(refine_lens=True), _unexplained)
    theirs, board_poses = _opencv_lens(seen)
    lenses: Errors = {
        "ours": (_lens_px(lens.lens.values, cell),),
        CAMERA: (_lens_px(theirs, cell),),
    }
    placed = {"ours": ours.x} | _opencv_places(poses, board_poses)
    return lenses, {name: _off(x, cell.x) for name, x in placed.items()}


def medians(cells: Sequence[Errors]) -> Errors:
    """Over the cells."""
    return {
        name: tuple(np.median([cell[name] for cell in cells], axis=0).tolist()) for name in cells[0]
    }


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over another method's error in the same cell, geometric mean over the cells; low, high:
    95 % of what other cells would have given, by resampling them."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratios(cells: Sequence[Errors]) -> dict[str, tuple[Ratio, ...]]:
    """Of every other method, for each of its errors."""
    ours = np.log([cell["ours"] for cell in cells])
    others = [name for name in cells[0] if name != "ours"]
    return {
        name: tuple(_ratio(column) for column in (ours - np.log([cell[name] for cell in cells])).T)
        for name in others
    }


def _ratio(logarithms: Array) -> Ratio:
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(logarithms), (RESAMPLED, len(logarithms)))
    low, high = np.quantile(logarithms[drawn].mean(axis=1), [0.025, 0.975])
    return Ratio(*(float(np.exp(value)) for value in (logarithms.mean(), low, high)))


def _pictures(cell: CalibCell, seed: int, fault: Fault) -> tuple[Sightings, Array]:
    seen, kept = _sightings(seed, fault.blur_px, fault.bow_mm)
    return seen, cell.reported[list(kept)]


@lru_cache(maxsize=64)
def _sightings(
    seed: int, blur_px: float, bow_mm: tuple[float, float, float]
) -> tuple[Sightings, tuple[int, ...]]:
    """What is found in the pictures of a cell, whatever its robot says; and in which views."""
    cell = make_cell(seed, VIEWS)
    camera = Camera(cell.lens, cell.board, bow_mm=bow_mm, blur_px=blur_px)
    found = [
        find_board(camera.render(pose, view), cell.board, f"{view:02d}.png")
        for view, pose in enumerate(cell.camera_from_board)
    ]
    kept = tuple(view for view, each in enumerate(found) if each is not None)
    return Sightings.stack([each for each in found if each is not None]), kept


def _opencv_lens(seen: Sightings) -> tuple[Array, Array]:
    views = [seen.of(view) for view in range(len(seen))]
    found = cv2.calibrateCamera(
        [view.points_mm.astype(np.float32) for view in views],
        [view.pixels.astype(np.float32) for view in views],
        SIZE_PX,
        None,  # type: ignore[arg-type, unused-ignore]
        None,  # type: ignore[arg-type, unused-ignore]
    )
    matrix, bends, turns, shifts = (np.asarray(each, np.float64) for each in found[1:5])
    steps = np.concatenate([turns.reshape(-1, 3), shifts.reshape(-1, 3)], axis=1)
    values = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *bends.ravel()[:5]]
    return np.array(values), np.array([motion(step) for step in steps])


def _opencv_places(flanges: Array, seen: Array) -> dict[str, Transform]:
    if not hasattr(cv2, "calibrateHandEye"):
        return {}
    found = {method: opencv_handeye(method, flanges, seen) for method in METHODS}
    return found | {name: _robot_world(flag, flanges, seen) for name, flag in WORLD.items()}


def _robot_world(flag: int, flanges: Array, seen: Array) -> Transform:
    """flange_from_camera, of world = board."""
    bases = inverse(flanges)
    _, _, turn, shift = cv2.calibrateRobotWorldHandEye(  # type: ignore[attr-defined, unused-ignore]
        list(seen[:, :3, :3]),
        list(seen[:, :3, 3]),
        list(bases[:, :3, :3]),
        list(bases[:, :3, 3]),
        method=flag,
    )
    camera_from_flange = np.eye(4)
    camera_from_flange[:3, :3], camera_from_flange[:3, 3] = turn, np.ravel(shift)
    return np.asarray(inverse(camera_from_flange[None])[0])


def _lens_px(values: Array, cell: CalibCell) -> float:
    points = np.concatenate([apply(pose, cell.board.points_mm) for pose in cell.camera_from_board])
    pixels = cell.lens.project(points)
    inside = ((pixels > 0) & (pixels < np.array(SIZE_PX) - 1)).all(axis=1)
    matrix = np.array([[values[0], 0, values[2]], [0, values[1], values[3]], [0, 0, 1.0]])
    _, turn, shift = cv2.solvePnP(points[inside], pixels[inside], matrix, values[4:])
    put, _ = cv2.projectPoints(points[inside], turn, shift, matrix, values[4:])
    return float(np.sqrt(((put.reshape(-1, 2) - pixels[inside]) ** 2).sum(axis=1).mean()))


def _off(x: Transform, truth: Transform) -> tuple[float, float]:
    twist = twist_of(inverse(x[None])[0] @ truth)
    return float(np.linalg.norm(twist[3:])), float(np.degrees(np.linalg.norm(twist[:3])))


def _unexplained(view: int, expected: Expected) -> OutlierPose:
    return OutlierPose(str(view), 0.0, 0.0, "")


def main(cells: int = 20) -> None:
    """Print one table per fault: medians, and ours over theirs in the same cells."""
    from rich.console import Console
    from rich.table import Table

    for words, fault in FAULTS.items():
        lenses, places = zip(*(compare(seed, fault) for seed in range(cells)), strict=True)
        beside = ratios(lenses) | ratios(places)
        table = Table("", "median", "ours over it", title=f"{cells} cells, fault: {words}")
        for name, (px,) in medians(lenses).items():
            over = ", ".join(map(str, beside.get(name, ())))
            table.add_row(f"lens, {name}", f"{px:.4f} px", over)
        for name, (mm, deg) in sorted(medians(places).items(), key=lambda item: item[1]):
            over = ", ".join(map(str, beside.get(name, ())))
            table.add_row(f"hand-eye, {name}", f"{mm:.3f} mm, {deg:.4f} deg", over)
        Console().print(table)
