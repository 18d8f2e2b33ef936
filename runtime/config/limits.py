"""How much may be missing or displaced before a scan proves nothing: once, as YAML and as facts."""

from __future__ import annotations

from typing import Annotated

from voxgate.runtime.config.fields import Section, about


class Limits(Section):
    """How much may be missing or displaced before a scan proves nothing."""

    coverage_min: Annotated[
        float, about("Least coverage", "seen fraction of the expected surface", low=0.5, high=1)
    ] = 0.95
    hole_max_mm2: Annotated[
        float | None,
        about(
            "Largest hole",
            "connected piece of the expected surface that may stay unseen; by default what a "
            "defect of the recipe's smallest size can hide in",
            unit="mm2",
            low=0,
            high=1e6,
        ),
    ] = None
    outside_max: Annotated[
        float, about("Most outside", "fraction of lifted pixels beyond the grid", low=0, high=0.5)
    ] = 0.02
    blind_max: Annotated[
        float,
        about("Most blindness", "of one view's surface without a return", low=0, high=1),
    ] = 0.1
    moved_max_mm: Annotated[
        float,
        about(
            *("Most moved", "part between two views of it, or as two cameras see it"),
            unit="mm",
            low=0.05,
            high=10,
        ),
    ] = 0.5
    shift_max_mm: Annotated[
        float, about("Largest shift", "part on its fixture", unit="mm", low=0.05, high=50)
    ] = 2.0
    rotation_max_deg: Annotated[
        float, about("Largest rotation", "part on its fixture", unit="deg", low=0.05, high=45)
    ] = 1.5
    lift_max_mm: Annotated[
        float,
        about(
            *("Largest lift", "of the part off its table, or by which it is another height"),
            unit="mm",
            low=0.05,
            high=50,
        ),
    ] = 0.4  # three views tell it to 0.2
    uncertainty_max_voxels: Annotated[
        float,
        about(
            "Largest uncertainty", "of a place, because of time", unit="voxels", low=0.01, high=2
        ),
    ] = 0.5
    drift_max_mm: Annotated[
        float,
        about(
            "Largest drift",
            "of the camera on the robot, as the views' disagreement shows it",
            unit="mm",
            low=0.05,
            high=10,
        ),
    ] = 0.3  # 0.1 mm are the robot's own
