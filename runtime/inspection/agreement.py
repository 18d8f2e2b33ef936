"""Do the views agree? What one view says against others that look as squarely is a doubt."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.geometry.projected import project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Defect
from voxgate.runtime.transforms import Transform, apply

# A defect this far over the threshold in one view is over it in every view that looks as squarely;
# one that is less may be just below it there.
CLEAR_SCORE = 1.5
SQUARE = 0.5  # cosine: 60 degrees, where a pixel spans twice what it does from above
WITNESSES = 3  # who says it, and two who do not
SPECK_VOXELS = 4  # across: a grain of dust, a hot pixel, a glint; what is larger is no such thing


def contradicted(
    defects: Sequence[Defect],
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    voxel_mm: float,
    heard: Collection[Defect] = (),
) -> tuple[Defect, ...]:
    """The specks that one view alone says, clearly, of surface that others look at squarely.

    What stands more than a voxel off the golden surface, or where no golden view measured, nobody
    contradicts. heard: those that a witness speaks against already (see witnesses.py).
    """
    return tuple(
        defect
        for defect in defects
        if defect in heard
        or (
            defect.views == 1
            and defect.peak_score >= CLEAR_SCORE
            and max(defect.size_mm) <= SPECK_VOXELS * voxel_mm
            and _witnesses(defect, golden, rays, reference_from_part, voxel_mm) >= WITNESSES
        )
    )


def _witnesses(
    defect: Defect,
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    reach_mm: float,
) -> int:
    place = apply(reference_from_part, np.array(defect.centroid_part_mm))
    return sum(_looks_squarely(place, view, rays, reach_mm) for view in golden)


def _looks_squarely(
    place_mm: npt.NDArray[np.float64], view: ExpectedView, rays: Rays, reach_mm: float
) -> bool:
    """Whether a golden view measured the surface at a place (3,) of the reference frame so."""
    found = project_into(place_mm[None], view.part_from_camera, rays)
    at, camera = (int(found.rows[0]), int(found.columns[0])), found.camera_mm[0]
    if not (found.inside[0] and view.measured[at]):
        return False
    facing = -float(view.plane[at][:3] @ camera) / float(np.linalg.norm(camera))
    return facing >= SQUARE and abs(float(view.depth_mm[at]) - camera[2]) <= reach_mm
