"""Warm-up: after it, no first view pays for a compilation."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison import align_kernels, register_kernels, surface_score_kernels
from voxgate.runtime.comparison.align import align
from voxgate.runtime.comparison.register import register
from voxgate.runtime.geometry import plane_kernels
from voxgate.runtime.inspection.warm_up import warm_up
from voxgate.runtime.nouns import Alignment
from voxgate.runtime.volume import (
    carve_kernels,
    lift_kernels,
    look_kernels,
    segment_kernels,
    smooth_kernels,
    surface_kernels,
)
from voxgate.runtime.volume.carve import carve
from voxgate.runtime.volume.coverage import Looked
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift, lift_points
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.smooth import smooth
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

KERNELS = (
    lift_kernels.number_pixels,
    lift_kernels.number_points,
    lift_kernels.find_slots,
    lift_kernels.write_voxels,
    lift_kernels.hit_near,
    look_kernels.look,
    plane_kernels.fit_planes,
    plane_kernels.measure_roughness,
    align_kernels.point_to_plane,
    register_kernels.compare_view,
    register_kernels.explain_elsewhere,
    register_kernels.free_behind,
    surface_score_kernels.frame_deviation,
    surface_score_kernels.score_on_surface,
    carve_kernels.cells_between,
    carve_kernels.add_passed,
    surface_kernels.add_view,
    segment_kernels.label_voxels,
    smooth_kernels.smooth_scores,
)


_ON_TOP = np.array([[45, 20, 13], [50, 40, 13]], np.int32)  # voxels of the body's upper face


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_a_whole_inspection_compiles_nothing_that_warm_up_did_not(sparse: bool) -> None:
    poses = [scene.camera(azimuth) for azimuth in (20.0, 140.0, 260.0)]
    golden = scene.golden(poses)
    views = [scene.look(pose, (scene.BODY, scene.TOWER), seed=n) for n, pose in enumerate(poses)]
    volume = Volume(GridSpec((-60.0, -60.0, -2.0), (60, 60, 40), 2.0), 1.0, sparse=sparse)
    with Crew(2) as crew:
        warm_up(crew)
        before = [len(kernel.signatures) for kernel in KERNELS]
        found = align(views, golden, scene.rays())
        assert isinstance(found, Alignment)
        place = found.reference_from_part
        surface = Surface.of_views(volume.grid, _ON_TOP, golden, scene.rays())
        looked = Looked(surface, volume.grid, scene.rays())
        for number, view in enumerate(views):
            seen = register(view, number, golden, scene.rays(), place, crew)
            seen = carve(view, seen, golden, scene.rays(), place, volume.grid)
            pose = view.part_from_camera
            looked.add(view, place)
            lift(volume, seen.geometry, scene.depth(view), scene.rays(), pose, number, crew)
            lift_points(volume, seen.vanished_mm, seen.vanished_score, number, crew)
            lift_points(
                volume,
                seen.lost_mm,
                np.ones(len(seen.lost_mm), np.float32),
                number,
                crew,
                seen=False,
            )
        assert looked.coverage(volume, place, seen.vanished_mm).fraction > 0.99
        assert segment(volume, np.eye(4))  # the bolt is missing
        assert len(smooth(volume.occupied(), volume.grid).ijk)
    assert [len(kernel.signatures) for kernel in KERNELS] == before
    assert set(before) == {1}
