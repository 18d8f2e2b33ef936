"""Do the views agree? What one view says against others that look as squarely is a doubt."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import MEASURED, ExpectedView
from voxgate.runtime.geometry.projected import project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Defect, DepthMap
from voxgate.runtime.transforms import Transform, apply

Numbers = npt.NDArray[np.intp]
Pixels = tuple[Numbers, Numbers]

# A defect this far over the threshold in one view is over it in every view that looks as squarely;
# one that is less may be just below it there.
CLEAR_SCORE = 1.5
SQUARE = 0.5  # cosine: 60 degrees, where a pixel spans twice what it does from above
STEP_PX = 3  # to either side, by which a surface's slope is told
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
    place = apply(reference_from_part, np.array([defect.centroid_part_mm]))
    looks = (
        squarely(place, view.depth_mm, view.part_from_camera, rays, reach_mm) for view in golden
    )
    return sum(
        bool((view.known[at] & MEASURED).any()) for view, at in zip(golden, looks, strict=True)
    )


def squarely(
    places_mm: npt.NDArray[np.float64],
    depth_mm: DepthMap,
    part_from_camera: Transform,
    rays: Rays,
    reach_mm: float,
) -> Pixels:
    """Rows and columns at which a view looks at some of the places (n, 3), part frame, at SQUARE
    and above: where it measured surface no further off than reach_mm."""
    at = project_into(places_mm, part_from_camera, rays)
    height, width = depth_mm.shape
    inside = at.inside & (at.columns >= STEP_PX) & (at.rows >= STEP_PX)
    inside &= (at.columns < width - STEP_PX) & (at.rows < height - STEP_PX)
    v, u = at.rows[inside], at.columns[inside]
    near = np.abs(depth_mm[v, u] - at.depth_mm[inside]) <= reach_mm  # a NaN is not
    near &= _facing(depth_mm, v, u, rays) >= SQUARE
    return v[near], u[near]


def _facing(depth_mm: DepthMap, v: Numbers, u: Numbers, rays: Rays) -> npt.NDArray[np.float64]:
    """(n,) cosine between ray and surface at pixels, by their neighbours; NaN without a return."""

    def point(dv: int, du: int) -> npt.NDArray[np.float64]:
        z = depth_mm[v + dv, u + du].astype(np.float64)
        return np.stack([rays.x[v + dv, u + du] * z, rays.y[v + dv, u + du] * z, z], axis=-1)

    across = point(0, STEP_PX) - point(0, -STEP_PX)
    normal = np.cross(across, point(STEP_PX, 0) - point(-STEP_PX, 0))
    ray = point(0, 0)
    length = np.linalg.norm(normal, axis=-1) * np.linalg.norm(ray, axis=-1)
    cosine: npt.NDArray[np.float64] = np.abs((normal * ray).sum(axis=-1)) / length
    return cosine
