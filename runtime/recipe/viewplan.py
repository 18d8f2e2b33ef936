"""The recipe's viewpoints: which planned view does a camera pose belong to?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.transforms import Transform, angle_deg, distance_mm, rigid

NAMED = 3  # planned views a message names


@dataclass(frozen=True, slots=True, eq=False)
class ViewPlan:
    """Expected part_from_camera per planned view, and how far from it a frame may be taken.

    Raises ValueError for an empty plan, a transform that is not rigid or a tolerance out of range.
    """

    views: tuple[Transform, ...]
    max_distance_mm: float
    max_angle_deg: float

    def __post_init__(self) -> None:
        if not self.views:
            raise ValueError("a view plan needs at least one view")
        for view in self.views:
            rigid(view)
        if not 0 < self.max_distance_mm < np.inf:
            raise ValueError(f"max_distance_mm must be above 0, got {self.max_distance_mm}")
        if not 0 < self.max_angle_deg <= 180:
            raise ValueError(f"max_angle_deg must be in 0..180, got {self.max_angle_deg}")

    def match(self, part_from_camera: Transform) -> int | Note:
        """The planned view that this pose is within both tolerances of, else why there is none.

        Of several such views it is the one that is nearest in position and in angle; when these
        are two different views, the pose belongs to neither.
        """
        off = [
            (distance_mm(view, part_from_camera), angle_deg(view, part_from_camera))
            for view in self.views
        ]
        near = [index for index, found in enumerate(off) if self._within(*found)]
        if not near:
            return _unplanned(off, self)
        closest = min(near, key=lambda index: off[index][0])
        rivals = (off[index] for index in near if index != closest)
        if any(rival[0] == off[closest][0] or rival[1] <= off[closest][1] for rival in rivals):
            return _ambiguous(near)
        return closest

    def _within(self, distance: float, angle: float) -> bool:
        return distance <= self.max_distance_mm and angle <= self.max_angle_deg


def _unplanned(off: list[tuple[float, float]], plan: ViewPlan) -> Note:
    nearest = min(
        range(len(off)),
        key=lambda index: max(
            off[index][0] / plan.max_distance_mm, off[index][1] / plan.max_angle_deg
        ),
    )
    distance, angle = off[nearest]
    return Note(
        Reason.UNPLANNED_VIEW,
        f"nearest planned view {nearest} is {distance:.1f} mm and {angle:.2f} deg away, "
        f"allowed are {plan.max_distance_mm:g} mm and {plan.max_angle_deg:g} deg",
    )


def _ambiguous(near: list[int]) -> Note:
    names = ", ".join(str(index) for index in near[:NAMED])
    return Note(
        Reason.UNPLANNED_VIEW,
        f"planned views {names} are all within tolerance: move them apart or tighten it",
    )
