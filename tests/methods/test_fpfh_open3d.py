"""The box's descriptors are Open3D's, on the same cloud with normals towards the camera."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import cKDTree

from tests.kits.repository import BRACKET
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.fpfh import fpfh
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.sections.shapes import FpfhSection

o3d = pytest.importorskip(
    "open3d", reason="open3d needs the system's libusb-1.0", exc_type=ImportError
)

DETERMINED = 1e-3  # of the largest spread, by which the two smallest differ: else any normal is one
SAME = 0.5  # of 200 in a descriptor's three histograms
CROP = slice(240, 360), slice(320, 480)

Depth = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


def _cloud(depth_mm: Depth, rays: Rays, step: int) -> tuple[Points, npt.NDArray[np.bool_]]:
    points = rays.points(depth_mm)[::step, ::step]
    measured: npt.NDArray[np.bool_] = points[..., 2] > 0
    return points[measured].astype(float), measured


def _theirs(points: Points, section: FpfhSection) -> Points:
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    near = o3d.geometry.KDTreeSearchParamHybrid(section.normal_radius_mm, section.normal_neighbours)
    cloud.estimate_normals(near)
    cloud.orient_normals_towards_camera_location(np.zeros(3))
    far = o3d.geometry.KDTreeSearchParamHybrid(
        section.feature_radius_mm, section.feature_neighbours
    )
    found: Points = o3d.pipelines.registration.compute_fpfh_feature(cloud, far).data.T
    return found


def _hoods(points: Points, radius_mm: float, most: int) -> npt.NDArray[np.intp]:
    """(n, most) neighbours of every point, itself included; n where there is none."""
    _, found = cKDTree(points).query(points, k=most, distance_upper_bound=radius_mm)
    hoods: npt.NDArray[np.intp] = found
    return hoods


def _determined(points: Points, section: FpfhSection) -> npt.NDArray[np.bool_]:
    """(n,) where neighbours span a plane, so that there is one direction of least spread."""
    hoods = _hoods(points, section.normal_radius_mm, section.normal_neighbours)
    there = hoods < len(points)
    near = np.append(points, [[0.0, 0.0, 0.0]], axis=0)[hoods] - points[:, None]
    weight = (there / there.sum(axis=1, keepdims=True))[..., None]
    mean = (weight * near).sum(axis=1, keepdims=True)
    spread: Any = np.einsum("nki,nkj->nij", weight * (near - mean), near - mean)
    least, middle, largest = np.linalg.eigvalsh(spread).T
    gap = (middle - least) / np.maximum(largest, 1e-12)
    return np.asarray((there.sum(axis=1) >= 3) & (gap > DETERMINED), np.bool_)


def _all_around(of: npt.NDArray[np.bool_], hoods: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.append(of, True)[hoods].all(axis=1), np.bool_)


def _apart(
    depth_mm: Depth, rays: Rays, section: FpfhSection
) -> tuple[Points, npt.NDArray[np.bool_]]:
    """(n,) how far each descriptor is from Open3D's, and (n,) whether everything it rests on is
    determined: its neighbours' histograms, and under these their neighbours' normals."""
    points, measured = _cloud(depth_mm, rays, section.step_px)
    with Crew(2) as crew:
        ours = fpfh(depth_mm, rays, section, crew)[:, measured].T
    apart = np.abs(ours - _theirs(points, section)).max(axis=1)
    hoods = _hoods(points, section.feature_radius_mm, section.feature_neighbours)
    settled = _all_around(_all_around(_determined(points, section), hoods), hoods)
    return apart, settled


@pytest.mark.parametrize("number", [0, 5])
def test_descriptors_of_determined_normals_are_open3ds(small_golden: Golden, number: int) -> None:
    """Nine neighbours lie within 4 mm here: where they are on a line, any normal is as good, and
    that is the only place where the two differ."""
    depth_mm = small_golden.views[number].depth_mm
    assert depth_mm is not None
    apart, settled = _apart(depth_mm, small_golden.rays, FpfhSection())
    assert settled.mean() > 0.5
    assert (apart[settled] < SAME).mean() >= 0.999


@pytest.mark.parametrize("step", [1, 2])
def test_descriptors_at_the_cameras_own_resolution_are_open3ds(step: int) -> None:
    golden = load_golden(BRACKET / "golden")
    depth_mm = golden.views[0].depth_mm
    assert depth_mm is not None
    x, y = (np.ascontiguousarray(plane[CROP]) for plane in (golden.rays.x, golden.rays.y))
    cropped = np.ascontiguousarray(depth_mm[CROP])
    apart, _ = _apart(cropped, Rays(x, y, golden.rays.lens), FpfhSection(step_px=step))
    assert (apart < SAME).mean() >= 0.99
