"""How much may be missing or displaced before a scan proves nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be missing or displaced before a scan proves nothing."""

    coverage_min: float = 0.95  # fraction of the expected surface that must have been seen
    hole_max_mm2: float = 150.0  # largest connected piece of it that may stay unseen
    outside_max: float = 0.02  # fraction of all lifted pixels that may fall outside the grid
    blind_max: float = 0.1  # fraction of one view's surface that may give no return
    moved_max_mm: float = 0.5  # part in one view, against the views it was aligned by
    shift_max_mm: float = 2.0  # part on the fixture, against the part the recipe knows
    rotation_max_deg: float = 1.5
    uncertainty_max_voxels: float = 0.5  # camera motion within the time residual of both clocks
    drift_max_mm: float = (
        0.3  # camera on the robot, against its calibration; 0.1 mm are the robot's
    )
