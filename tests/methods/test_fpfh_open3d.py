"""The box's descriptors are Open3D's, on the same cloud with normals towards the camera."""

from __future__ import annotations

import numpy as np
import pytest

from export.golden import Golden
from runtime.crew import Crew
from runtime.fpfh import fpfh
from runtime.manifest import FpfhSection

o3d = pytest.importorskip(
    "open3d", reason="open3d needs the system's libusb-1.0", exc_type=ImportError
)


@pytest.mark.parametrize("number", [0, 5])
def test_descriptors_agree_with_open3d(small_golden: Golden, number: int) -> None:
    view, rays = small_golden.views[number], small_golden.rays
    assert view.depth_mm is not None
    section = FpfhSection()
    with Crew(2) as crew:
        ours = fpfh(view.depth_mm, rays, section, crew)
    points = rays.points(view.depth_mm)
    measured = points[..., 2] > 0
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points[measured].astype(float)))
    near = o3d.geometry.KDTreeSearchParamHybrid(section.normal_radius_mm, section.normal_neighbours)
    cloud.estimate_normals(near)
    cloud.orient_normals_towards_camera_location(np.zeros(3))
    far = o3d.geometry.KDTreeSearchParamHybrid(
        section.feature_radius_mm, section.feature_neighbours
    )
    theirs = o3d.pipelines.registration.compute_fpfh_feature(cloud, far).data.T
    apart = np.abs(ours[:, measured].T - theirs).max(axis=1)
    # points on a line have no normal, and the descriptors around them follow
    assert np.median(apart) < 1e-3
    assert (apart < 0.5).mean() > 0.75
