"""When a calibration is good enough to be written. Every limit has a name and can be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.seen_through import SEEN_THROUGH_MAX

USUAL_VOXEL_MM = 2.0  # of a recipe that was not told otherwise


@dataclass(frozen=True, slots=True)
class Limit:
    """One figure's bound. at_least: the figure must not be smaller, instead of not larger."""

    value: float
    unit: str
    what: str
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure against its limit; not a number is not ok."""

    name: str
    figure: float
    limit: Limit

    @property
    def ok(self) -> bool:
        """Whether the figure keeps the limit."""
        if self.limit.at_least:
            return self.figure >= self.limit.value
        return self.figure <= self.limit.value

    def __str__(self) -> str:
        word = "at least" if self.limit.at_least else "at most"
        unit = f" {self.limit.unit}" if self.limit.unit else ""
        return (
            f"{self.limit.what} is {self.figure:.4g}{unit}, "
            f"{word} {self.limit.value:g}{unit} ({self.name})"
        )


INTRINSICS = {
    "views_min": Limit(8, "", "number of views used", at_least=True),
    "coverage_min": Limit(0.6, "", "covered part of the picture", at_least=True),
    # a lens model that fits leaves less, whatever the pixels are worth in mm
    "rms_max_px": Limit(1.0, "px", "reprojection error"),
    "rms_at_part_max_mm": Limit(0.25, "mm", "reprojection error, at the board"),
    "held_out_at_part_max_mm": Limit(0.25, "mm", "error on views left out, at the board"),
    "at_part_max_mm": Limit(0.25, "mm", "what the lens's uncertainty does to a point at the part"),
}
HANDEYE = {
    "poses_min": Limit(8, "", "number of poses used", at_least=True),
    "outliers_max": Limit(0.25, "", "part of the poses that was left out"),
    # what no cell is like: board and robot in another unit agree with each other all the same
    "distance_min_mm": Limit(60, "mm", "the board's distance from the camera", at_least=True),
    "distance_max_mm": Limit(10_000, "mm", "the board's distance from the camera"),
    "reach_min_mm": Limit(200, "mm", "the flange's largest distance from the base", at_least=True),
    "reach_max_mm": Limit(10_000, "mm", "the flange's largest distance from the base"),
    "travel_min_mm": Limit(10, "mm", "the way of the flange between poses", at_least=True),
    "camera_max_mm": Limit(2000, "mm", "the camera's distance from what carries it"),
    "scale_off_max_percent": Limit(1.0, "%", "difference in scale between robot and board"),
    "second_turn_min_deg": Limit(10, "deg", "rms turn about the second axis", at_least=True),
    "rms_at_part_max_mm": Limit(0.25, "mm", "reprojection error, at the board"),
    "position_rms_max_mm": Limit(0.5, "mm", "rms error of the board's position"),
    "position_largest_max_mm": Limit(1.5, "mm", "largest error of the board's position"),
    "held_out_rms_max_mm": Limit(0.6, "mm", "rms error on poses left out"),
    "at_part_max_mm": Limit(
        0.25, "mm", "what the camera's uncertainty does to a point at the part"
    ),
}
PER_VOXEL = (
    "rms_at_part_max_mm",
    "held_out_at_part_max_mm",
    "position_rms_max_mm",
    "position_largest_max_mm",
    "held_out_rms_max_mm",
    "at_part_max_mm",
)
"""Of INTRINSICS and HANDEYE those that say what is lost at the part: they are for voxels of 1 mm,
and grow with them."""
SENSOR = {
    "views_min": Limit(4, "", "number of views used", at_least=True),
    "held_out_views_min": Limit(1, "", "number of views left for the check", at_least=True),
    # SiM3D, S.3: "a precision under 1 mm" on views that were not used
    "held_out_max_mm": Limit(1.0, "mm", "largest distance on views that were not used"),
    "rms_max_mm": Limit(0.5, "mm", "rms distance"),
    "scale_off_max_percent": Limit(0.3, "%", "difference in scale between sensor and board"),
    "distance_min_mm": Limit(60, "mm", "the board's distance from the sensor", at_least=True),
    "distance_max_mm": Limit(10_000, "mm", "the board's distance from the sensor"),
    "baseline_max_mm": Limit(2000, "mm", "distance between camera and sensor"),
}
PART = {
    "rms_max_mm": Limit(0.5, "mm", "rms distance"),
    "largest_max_mm": Limit(1.5, "mm", "largest distance"),
    "sigma_max_mm": Limit(0.3, "mm", "uncertainty of the part's position"),
    "sigma_max_deg": Limit(0.1, "deg", "uncertainty of the part's rotation"),
}
CAD = {
    # of a golden scan on its own CAD all three are near 1, the next best place of a part without
    # symmetry below 0.7; of another part's CAD one of them is not
    "matched_min": Limit(0.8, "", "part of the scanned points that lie on the CAD", at_least=True),
    "covered_min": Limit(0.8, "", "part of the CAD's visible side that was scanned", at_least=True),
    "tail_max_mm": Limit(1.5, "mm", "distance to the CAD that 95 % of the scanned points keep"),
    # stray points at edges are in every scan
    "largest_max_mm": Limit(10, "mm", "largest distance of any scanned point to the CAD"),
    "second_best_max": Limit(0.95, "", "likeness of another place, over this one's"),
}
"""Beside PART, where the part was placed by its CAD."""
SELF_CONSISTENCY = {
    "drift_max_mm": Limit(0.3, "mm", "drift of camera against robot"),
    "residual_max_mm": Limit(0.5, "mm", "disagreement between views"),
    "view_max_mm": Limit(0.5, "mm", "largest disagreement of one view with the others"),
    "seen_through_max": Limit(
        SEEN_THROUGH_MAX, "", "largest part of a view's surface that others look through"
    ),
}


def for_voxels(limits: Mapping[str, Limit], voxel_mm: float) -> dict[str, Limit]:
    """INTRINSICS or HANDEYE for a recipe with such voxels."""
    return {
        name: replace(limit, value=limit.value * voxel_mm) if name in PER_VOXEL else limit
        for name, limit in limits.items()
    }


def limits_with(defaults: Mapping[str, Limit], changes: Sequence[str]) -> dict[str, Limit]:
    """`defaults` with NAME=VALUE changes. Raises CalibrationError for one that is not."""
    limits = dict(defaults)
    for change in changes:
        name, equals, text = change.partition("=")
        if name not in limits or not equals:
            raise CalibrationError(
                f"--limit {change}: write NAME=VALUE with one of {', '.join(limits)}"
            )
        try:
            value = float(text)
        except ValueError as error:
            raise CalibrationError(f"--limit {change}: {text!r} is not a number") from error
        if not 0 <= value < float("inf"):
            raise CalibrationError(f"--limit {change}: must be 0 or more")
        old = limits[name]
        limits[name] = Limit(value, old.unit, old.what, old.at_least)
    return limits


def gates(figures: Mapping[str, float], limits: Mapping[str, Limit]) -> tuple[Gate, ...]:
    """Each limit with its figure, which has its name without `_min` or `_max`."""
    return tuple(
        Gate(name, float(figures[figure_name(name)]), limit) for name, limit in limits.items()
    )


def figure_name(limit: str) -> str:
    """The figure that a limit bounds: `rms_px` of `rms_max_px`."""
    stem = limit.removesuffix("_min").removesuffix("_max")
    return stem.replace("_min_", "_").replace("_max_", "_")
