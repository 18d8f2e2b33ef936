"""The whole of `voxgate calib verify`: a scan in, how well its parts agree out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.calib.gates import SELF_CONSISTENCY, Gate, gates, limits_with
from voxgate.calib.place.scan_surface import PlacedScan, gauge_of, open_placed
from voxgate.calib.steps.usual_mistakes import AGREE_MM, mistake_in
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.seen_through import seen_through
from voxgate.runtime.nouns import Drift, View
from voxgate.runtime.transforms import Transform, angle_deg

HIDDEN_MM = 0.5  # a sensor that moved so far must be named
ROUNDS = 3  # points meet other points once the camera is moved back


@dataclass(frozen=True, slots=True, eq=False)
class Consistency:
    """drift: as the runtime measures it; camera_from_before: refined over ROUNDS.

    view_mm (v,): median disagreement of each view with the others, the camera moved back;
    seen_through (v,): the part of its surface, where it should overlap with theirs, that they look
    through. Both NaN for a view that shares nothing with the others.
    """

    drift: Drift
    camera_from_before: Transform
    view_mm: tuple[float, ...]
    seen_through: tuple[float, ...]
    frames: tuple[int, ...]
    lost: tuple[str, ...]
    gates: tuple[Gate, ...]

    @property
    def accepted(self) -> bool:
        """Whether every limit is kept."""
        return all(gate.ok for gate in self.gates)

    @property
    def strangers(self) -> tuple[int, ...]:
        """Frames that stand elsewhere than the others say, or that none of them can vouch for."""
        limit = {gate.name: gate.limit.value for gate in self.gates}
        return tuple(
            frame
            for frame, apart_mm, past in zip(
                self.frames, self.view_mm, self.seen_through, strict=True
            )
            if not (apart_mm <= limit["view_max_mm"] and past <= limit["seen_through_max"])
        )

    @property
    def moved_mm(self) -> float:
        """How far the camera's centre would have to move on the flange."""
        return float(np.linalg.norm(self.camera_from_before[:3, 3]))

    @property
    def turned_deg(self) -> float:
        """By how much it would have to turn."""
        return angle_deg(np.eye(4), self.camera_from_before)


def verify_scan(
    folder: Path, calibration: Path | None, limit_changes: Sequence[str]
) -> Consistency:
    """Raises CalibrationError when the views overlap too little to tell, ScanError."""
    limits = limits_with(SELF_CONSISTENCY, limit_changes)
    scan = open_placed(folder, calibration)
    drift = gauge_of(scan).measure()
    if drift is None:
        raise CalibrationError(f"{folder}: {_why_nothing_in_common(scan)}")
    moved = _refined(scan, drift)
    settled = replace(scan, views=tuple(_moved(view, moved) for view in scan.views))
    view_mm = gauge_of(settled).view_disagreement_mm()
    past = seen_through(settled.views, settled.rays).tolist()
    figures = {
        "drift_mm": drift.drift_mm,
        "residual_mm": drift.residual_mm,
        "view_mm": float(np.max(view_mm)),  # NaN where one is: nothing proves that view
        "seen_through": float(np.max(past)),
    }
    return Consistency(
        drift,
        moved,
        tuple(view_mm),
        tuple(past),
        tuple(view.frame_id for view in scan.views),
        scan.lost,
        gates(figures, limits),
    )


def _why_nothing_in_common(scan: PlacedScan) -> str:
    partly = gauge_of(scan).measure(partly=True)
    if partly is not None and partly.drift_mm <= AGREE_MM and (hidden := _hidden_shifts(scan)):
        return (
            f"the views agree, and would as well if camera or sensor had moved by {HIDDEN_MM:g} mm "
            f"along its own {' or '.join(hidden)}, in a job too: take some views from another "
            "height"
        )
    mistake = mistake_in(scan)
    if mistake is not None:
        return (
            "the views put nothing in one place, and would if one thing in the calibration were "
            f"another: {mistake}"
        )
    return (
        "the views see too little surface in common to compare them: scan a part that several "
        "views see, from several sides; or the calibration is of another robot, camera or sensor"
    )


def _hidden_shifts(scan: PlacedScan) -> tuple[str, ...]:
    """Axes of the camera along which it may move so far, one way or the other, and no job would
    tell: each is tried."""
    return tuple(
        axis
        for axis, shift in zip("xyz", np.eye(4)[:3], strict=True)
        if not all(_shows(scan, sign * HIDDEN_MM * shift[:3]) for sign in (1, -1))
    )


def _shows(scan: PlacedScan, shift_mm: npt.NDArray[np.float64]) -> bool:
    motion = np.eye(4)
    motion[:3, 3] = shift_mm
    moved = replace(scan, views=tuple(_moved(view, motion) for view in scan.views))
    drift = gauge_of(moved).measure(partly=True)
    return drift is not None and drift.drift_mm > Limits().drift_max_mm * drift.told


def _refined(scan: PlacedScan, drift: Drift) -> Transform:
    moved = drift.camera_from_before
    for _ in range(ROUNDS - 1):
        again = gauge_of(replace(scan, views=tuple(_moved(view, moved) for view in scan.views)))
        found = again.measure()
        if found is None:
            break
        moved = moved @ found.camera_from_before
    return moved


def _moved(view: View, motion: Transform) -> View:
    return replace(view, part_from_camera=view.part_from_camera @ motion)
