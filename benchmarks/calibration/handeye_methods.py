"""Our hand-eye calibration and OpenCV 4's methods on the same simulated cells.

Every cell has 25 poses of a ChArUco board, corners with 0.1 px noise, a robot that errs by 0.03 mm
and 0.01 degrees, and two poses that are wrong by 2 mm and 0.3 degrees. All get the same lens and
board poses; ours also sees the corners. Only in `.venv-opencv4`: version 5 has none of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from voxgate.benchmarks.calibration.calib_cell import SIZE_PX, Noise, make_cell, with_outliers
from voxgate.calib.handeye.handeye import Options, Shot, calibrate_handeye
from voxgate.calib.handeye.outliers import Expected, OutlierPose
from voxgate.calib.lens.intrinsics import calibrate_lens
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, twist_of
from voxgate.runtime.transforms import Transform

METHODS = ("tsai", "park", "horaud", "andreff", "daniilidis")
OUTLIERS, OUTLIER_MM, OUTLIER_DEG = 2, 2.0, 0.3
Errors = dict[str, tuple[float, float]]
"""By method: mm and degrees off the truth."""


def opencv_handeye(method: str, mounts: Array, camera_from_board: Array) -> Transform:
    """X by one of OpenCV 4's methods."""
    flag = getattr(cv2, f"CALIB_HAND_EYE_{method.upper()}")
    turn, shift = cv2.calibrateHandEye(  # type: ignore[attr-defined, unused-ignore]
        list(mounts[:, :3, :3]),
        list(mounts[:, :3, 3]),
        list(camera_from_board[:, :3, :3]),
        list(camera_from_board[:, :3, 3]),
        method=flag,
    )
    x = np.eye(4)
    x[:3, :3], x[:3, 3] = turn, np.asarray(shift).ravel()
    return x


def compare(seed: int, outliers: int = OUTLIERS) -> Errors:
    """Errors of all methods in one cell."""
    cell = make_cell(seed)
    seen, reported = cell.see(Noise(), seed)
    lens = calibrate_lens(seen, SIZE_PX)
    poses = with_outliers(reported, seed, outliers, OUTLIER_MM, OUTLIER_DEG)
    shot = Shot(seen, lens.poses, poses)
    found = {"ours": calibrate_handeye(shot, lens.lens, Options(refine_lens=True), _unexplained).x}
    found |= {method: opencv_handeye(method, poses, lens.poses) for method in METHODS}
    return {method: _off(x, cell.x) for method, x in found.items()}


def summary(cells: Sequence[Errors]) -> Errors:
    """Medians over the cells."""
    return {
        method: (
            float(np.median([cell[method][0] for cell in cells])),
            float(np.median([cell[method][1] for cell in cells])),
        )
        for method in cells[0]
    }


def _off(x: Transform, truth: Transform) -> tuple[float, float]:
    twist = twist_of(inverse(x[None])[0] @ truth)
    return float(np.linalg.norm(twist[3:])), float(np.degrees(np.linalg.norm(twist[:3])))


def _unexplained(view: int, expected: Expected) -> OutlierPose:
    return OutlierPose(str(view), 0.0, 0.0, "")


def main(cells: int = 200) -> None:
    """Print both tables."""
    from rich.console import Console
    from rich.table import Table

    for outliers, words in ((0, "no outliers"), (OUTLIERS, f"{OUTLIERS} wrong poses of 25")):
        errors = summary([compare(seed, outliers) for seed in range(cells)])
        table = Table("method", "mm", "deg", title=f"median error over {cells} cells, {words}")
        for method, (mm, deg) in sorted(errors.items(), key=lambda item: item[1]):
            table.add_row(method, f"{mm:.3f}", f"{deg:.4f}")
        Console().print(table)
