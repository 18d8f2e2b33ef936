"""The whole of `voxgate calib verify`: a scan in, how well its parts agree out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voxgate.calib.gates import SELF_CONSISTENCY, Gate, gates, limits_with
from voxgate.calib.place.scan_surface import PlacedScan, gauge_of, open_placed
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.nouns import Drift, View
from voxgate.runtime.transforms import Transform, angle_deg

ROUNDS = 3  # points meet other points once the camera is moved back


@dataclass(frozen=True, slots=True, eq=False)
class Consistency:
    """drift: as the runtime measures it; camera_from_before: refined over ROUNDS.

    view_mm (v,): median disagreement of each view with the others, before any correction.
    """

    drift: Drift
    camera_from_before: Transform
    view_mm: tuple[float, ...]
    frames: tuple[int, ...]
    lost: tuple[str, ...]
    gates: tuple[Gate, ...]

    @property
    def accepted(self) -> bool:
        """Whether every limit is kept."""
        return all(gate.ok for gate in self.gates)

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
    gauge = gauge_of(scan)
    drift = gauge.measure()
    if drift is None:
        raise CalibrationError(
            f"{folder}: the views see too little surface in common to compare them: scan a part "
            "that several views see, from several sides"
        )
    figures = {"drift_mm": drift.drift_mm, "residual_mm": drift.residual_mm}
    return Consistency(
        drift,
        _refined(scan, drift),
        tuple(gauge.view_disagreement_mm()),
        tuple(view.frame_id for view in scan.views),
        scan.lost,
        gates(figures, limits),
    )


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
