"""Which of the usual mistakes in a calibration would explain that its views agree in nothing.

A length in metres, a transform the other way round, two lenses exchanged: each is taken back by
itself, and what brings the views together is likely what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.calib.place.scan_surface import PlacedScan, gauge_of
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.mounting import EYE_IN_HAND, EYE_TO_HAND, KEYS, Mounting
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.seen_through import SEEN_THROUGH_MAX, seen_through
from voxgate.runtime.geometry.sensor import POSE
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, invert

MM_PER = {"m": 1000.0, "cm": 10.0, "inches": 25.4}
UNITS = {
    1000.0: "in m",
    10.0: "in cm",
    0.1: "ten times too large",
    0.001: "a thousand times too large",
}
"""By what a count of depth must be multiplied, and what is wrong then."""
AGREE_MM = 2.0  # of drift: what is left then is for the next `verify`
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class _Mistake:
    """words: what seems to have been written; meant: the calibration with that taken back."""

    words: str
    meant: Calibration


def mistake_in(scan: PlacedScan) -> str | None:
    """What to look at, in words; None: none of them explains it, or more than one thing is wrong.

    The views of `scan` were placed by `scan.calibration`.
    """
    agreeing = [
        (drift_mm, mistake.words)
        for mistake in _mistakes(scan.calibration)
        if (drift_mm := _drift_mm(scan, mistake.meant)) is not None
    ]
    return min(agreeing)[1] if agreeing else None


def _mistakes(known: Calibration) -> Iterator[_Mistake]:
    mounting, sensor = known.mounting, known.sensor
    key = KEYS[EYE_TO_HAND if mounting.fixed else EYE_IN_HAND]
    for words, meant in _of_transform(mounting.camera):
        yield _Mistake(f"{key} {words}", replace(known, mounting=replace(mounting, camera=meant)))
    for factor, said in UNITS.items():
        unit = "units.depth_unit_mm" if sensor is None else "sensor.depth_unit_mm"
        meant_mm = known.depth_unit_mm * factor
        yield _Mistake(f"{unit} is {said}", replace(known, depth_unit_mm=meant_mm))
    if sensor is None:
        return
    for words, meant in _of_transform(sensor.camera_from_sensor):
        moved = replace(sensor, camera_from_sensor=meant)
        yield _Mistake(f"{POSE} {words}", replace(known, sensor=moved))
    exchanged = replace(sensor, camera_matrix=known.camera_matrix)
    yield _Mistake("K and sensor.K are exchanged", replace(known, sensor=exchanged))


def _of_transform(a_from_b: Transform) -> Iterator[tuple[str, Transform]]:
    for unit, mm in MM_PER.items():
        meant = a_from_b.copy()
        meant[:3, 3] *= mm
        yield f"has its shift in {unit}, not in mm", meant
    yield "is the other way round: its inverse fits", invert(a_from_b)
    meant = a_from_b.copy()
    meant[:3, :3] = a_from_b[:3, :3].T
    yield "has its rotation transposed", meant
    x, y, z, w = Rotation.from_matrix(a_from_b[:3, :3]).as_quat()
    for order in ((w, x, y, z), (y, z, w, x)):
        meant = a_from_b.copy()
        meant[:3, :3] = Rotation.from_quat(order).as_matrix()
        yield "is of a quaternion in the other order (w x y z, or x y z w)", meant
    yield "is of OpenGL's axes (y up, z backwards), not OpenCV's", a_from_b @ _OPENGL


def _drift_mm(scan: PlacedScan, meant: Calibration) -> float | None:
    """What is left between the views; None where they do not agree."""
    try:
        again = _placed(scan, meant)
    except CalibrationError:  # the lens of that matrix folds over
        return None
    drift = gauge_of(again).measure()
    if drift is None or drift.drift_mm > AGREE_MM:
        return None
    past = seen_through(again.views, again.rays)
    return drift.drift_mm if (past <= SEEN_THROUGH_MAX).all() else None


def _placed(scan: PlacedScan, meant: Calibration) -> PlacedScan:
    """The same exposures by another calibration."""
    was, now = scan.calibration.of_depth, meant.of_depth
    unit = now.depth_unit_mm / was.depth_unit_mm
    views = tuple(_view(view, was.mounting, now.mounting, unit) for view in scan.views)
    return replace(scan, calibration=meant, rays=Rays.from_calibration(now), views=views)


def _view(view: View, was: Mounting, now: Mounting, unit: float) -> View:
    assert view.depth_mm is not None  # `open_placed` has left the others out
    # what stood between part and camera is the robot's own
    robot = was.part @ view.part_from_camera @ invert(was.camera)
    pose = invert(now.part) @ robot @ now.camera
    depth_mm = view.depth_mm if unit == 1 else view.depth_mm * np.float32(unit)
    return replace(view, part_from_camera=pose, depth_mm=depth_mm)
