"""Voxels to pixels: every pixel whose ray meets a voxel, and the highest of several."""

from __future__ import annotations

import numpy as np

from voxgate.export.evaluation.judges.backproject import pinhole_rays, pixel_scores
from voxgate.runtime.volume.grid import GridSpec

RAYS = pinhole_rays(np.array([[100.0, 0, 31.5], [0, 100.0, 23.5], [0, 0, 1]]), (48, 64))
GRID = GridSpec((-20.0, -20.0, 80.0), (20, 20, 20), 2.0)


def test_every_ray_that_meets_a_voxel_gets_its_score() -> None:
    ijk = np.array([[10, 9, 3]], np.int32)
    picture = pixel_scores(GRID, ijk, np.array([0.7], np.float32), RAYS, np.eye(4))
    low = np.asarray(GRID.origin_mm) + 2.0 * ijk[0]
    depths = np.linspace(low[2], low[2] + 2, 41)
    met = np.zeros(picture.shape, np.bool_)
    for z in depths:
        x, y = RAYS.x * z, RAYS.y * z
        met |= (x > low[0]) & (x < low[0] + 2) & (y > low[1]) & (y < low[1] + 2)
    assert np.isclose(picture[met], 0.7).all()
    grown = np.pad(met, 1)
    near = sum(grown[1 + v : 49 + v, 1 + u : 65 + u] for v in (-1, 0, 1) for u in (-1, 0, 1)) > 0
    assert (picture[~near] == 0).all()


def test_of_two_voxels_on_one_pixel_the_higher_score_counts() -> None:
    ijk = np.array([[10, 10, 2], [10, 10, 15]], np.int32)
    for scores in ([0.9, 0.4], [0.4, 0.9]):
        picture = pixel_scores(GRID, ijk, np.array(scores, np.float32), RAYS, np.eye(4))
        assert np.isclose(picture.max(), 0.9)
        assert np.isclose(picture[24, 32], 0.9)


def test_what_lies_behind_the_camera_is_in_no_picture() -> None:
    behind = np.eye(4)
    behind[2, 3] = -200.0
    ijk = np.array([[10, 10, 2]], np.int32)
    assert not pixel_scores(GRID, ijk, np.ones(1, np.float32), RAYS, behind).any()
