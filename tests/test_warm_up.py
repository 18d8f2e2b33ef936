"""Warm-up: after it, no first view pays for a compilation."""

from __future__ import annotations

import numpy as np
import pytest

from runtime import align_kernels, expected_kernels, lift_kernels, register_kernels, segment_kernels
from runtime.align import align
from runtime.coverage import coverage
from runtime.crew import Crew
from runtime.grid import GridSpec
from runtime.lift import lift, lift_points
from runtime.nouns import Alignment
from runtime.register import register
from runtime.segment import segment
from runtime.volume import Volume
from runtime.warm_up import warm_up
from tests import scene

KERNELS = (
    lift_kernels.number_pixels,
    lift_kernels.number_points,
    lift_kernels.find_slots,
    lift_kernels.write_voxels,
    lift_kernels.hit_near,
    expected_kernels.fit_planes,
    align_kernels.point_to_plane,
    register_kernels.compare_view,
    register_kernels.explain_elsewhere,
    register_kernels.frame_deviation,
    register_kernels.score_on_surface,
    segment_kernels.label_voxels,
)


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
        for number, view in enumerate(views):
            seen = register(view, number, golden, scene.rays(), place, crew)
            pose = view.part_from_camera
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
        expected = volume.grid.centres_mm(volume.occupied().ijk).astype(np.float32)
        assert coverage(volume, expected, place).fraction > 0.99
        assert segment(volume, np.eye(4))  # the bolt is missing
    assert [len(kernel.signatures) for kernel in KERNELS] == before
    assert set(before) == {1}
