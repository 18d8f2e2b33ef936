"""Fast point feature histograms of one depth map: the shape around each point in 33 numbers.

Rusu, Blodow, Beetz: Fast Point Feature Histograms for 3D Registration, ICRA 2009, numerically as
Open3D computes them, on neighbourhoods as SiM3D (S.6) and BTF take them: the nearest so many
points within a radius. The cloud is organised, so neighbours are found in a window of pixels that
grows until nothing nearer can lie outside of it: the same points as a k-d tree gives. Normals
point to the camera, which makes descriptors independent of an eigenvector's sign.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.fpfh_kernels import (
    CHANNELS,
    find_neighbours,
    fit_normals,
    point_histograms,
    weighted_histograms,
)
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.recipe.sections.shapes import FpfhSection

Descriptors = npt.NDArray[np.float32]


def fpfh(depth_mm: DepthMap, rays: Rays, section: FpfhSection, crew: Crew) -> Descriptors:
    """(33, h', w') float32 of every step_px-th pixel of depth (h, w) mm; 0 where there is no point.

    NaN or 0 in the depth = no return. Raises ValueError when depth and rays differ in size, or when
    more points lie within the radius than a descriptor can look through.
    """
    if depth_mm.shape != rays.x.shape:
        raise ValueError(f"depth {depth_mm.shape} and rays {rays.x.shape} must have one shape")
    step = section.step_px
    x, y = rays.x[::step, ::step], rays.y[::step, ::step]
    points = _points(depth_mm[::step, ::step], x, y)
    measured = points[..., 2] > 0
    index_of = np.where(measured, np.cumsum(measured.reshape(-1)).reshape(measured.shape) - 1, -1)
    cloud = points[measured]
    out = np.zeros((CHANNELS, measured.size), np.float32)
    if len(cloud):
        hood = _Neighbours(cloud, points, index_of.astype(np.int32), x, y, section, crew)
        _describe(cloud, hood, np.flatnonzero(measured), section, crew, out)
    return out.reshape(CHANNELS, *measured.shape)


def warm_up(crew: Crew) -> None:
    """Compile (or load) every kernel of this file on a picture of a few pixels."""
    x, y = np.meshgrid(*[np.linspace(-0.1, 0.1, 8, dtype=np.float32)] * 2)
    depth_mm = np.full((8, 8), 100.0, np.float32)
    fpfh(depth_mm, Rays(x, y, np.zeros(9)), FpfhSection(), crew)


class _Neighbours:
    """The nearest points of every point: found (n, most), distance2 (n, most), counts (n,)."""

    def __init__(
        self,
        cloud: npt.NDArray[np.float32],
        points: npt.NDArray[np.float32],
        index_of: npt.NDArray[np.int32],
        x: npt.NDArray[np.float32],
        y: npt.NDArray[np.float32],
        section: FpfhSection,
        crew: Crew,
    ) -> None:
        most = section.feature_neighbours
        self.found = crew.scratch("fpfh.found", (index_of.size, most), np.int32)
        self.distance2 = crew.scratch("fpfh.distance2", (index_of.size, most), np.float32)
        self.counts = crew.scratch("fpfh.counts", (index_of.size,), np.int32)
        slope, lengthen = _least_slope(x, y), float(np.sqrt(1.0 + (x * x + y * y).max()))

        def part(index: int) -> int:
            rows = np.array(crew.span(index, index_of.shape[0]))
            full: int = find_neighbours(
                rows, points, index_of, slope, lengthen, section.feature_radius_mm, most,
                self.found, self.distance2, self.counts,
            )  # fmt: skip
            return full

        if max(crew.run(part)) >= 0:
            raise ValueError(
                f"too many points within {section.feature_radius_mm} mm: use a larger step_px"
            )


def _describe(
    cloud: npt.NDArray[np.float32],
    hood: _Neighbours,
    pixel: npt.NDArray[np.intp],
    section: FpfhSection,
    crew: Crew,
    out: Descriptors,
) -> None:
    """Normals, then each point's own histogram, then the weighted ones; each needs all before."""
    normals = np.zeros((len(cloud), 3), np.float64)
    spfh = np.empty((len(cloud), CHANNELS), np.float32)
    radius_mm, most = section.normal_radius_mm, section.normal_neighbours
    found, distance2, counts = hood.found, hood.distance2, hood.counts
    exact = cloud.astype(np.float64)

    def span(index: int) -> npt.NDArray[np.intp]:
        return np.array(crew.span(index, len(cloud)))

    crew.run(
        lambda i: fit_normals(span(i), exact, found, distance2, counts, radius_mm, most, normals)
    )
    crew.run(lambda i: point_histograms(span(i), exact, normals, found, counts, spfh))
    crew.run(lambda i: weighted_histograms(span(i), spfh, found, distance2, counts, pixel, out))


def _points(
    depth_mm: DepthMap, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """(h', w', 3) float32 camera frame, mm; z = 0 where there is no return."""
    z = np.nan_to_num(depth_mm, nan=0.0)
    return np.stack([x * z, y * z, z], axis=-1).astype(np.float32)


def _least_slope(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> float:
    """How far apart neighbouring pixels look at least, tangent units, along rows and columns."""
    return float(min(np.abs(np.diff(x, axis=1)).min(), np.abs(np.diff(y, axis=0)).min()))
