"""Surface that all views passed through and none met is gone, however thin it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.inspection.looked_at import LookedAt
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
POSES = [scene.camera(azimuth, 55.0) for azimuth in (0.0, 90.0, 180.0, 270.0)]
BAR: scene.Box = ((-30.0, -1.0, 30.0), (30.0, 1.0, 32.0))
WITH_BAR = (scene.BODY, BAR)
OFF = scene.offset((0.4, -0.3, 0.0), (0.0, 0.0, 0.4))
SCORE = 8.0


@pytest.fixture(scope="module")
def surface() -> Surface:
    golden = scene.golden(POSES, WITH_BAR)
    looks = [scene.look(pose, WITH_BAR) for pose in POSES]
    points = np.concatenate([_points(view).reshape(-1, 3) for view in looks])
    ijk = np.unique(GRID.voxels_of(points[points[:, 2] > scene.TABLE_Z_MM + 1.0]), axis=0)
    return Surface.of_views(GRID, ijk.astype(np.int32), golden, scene.rays())


def _points(view: View) -> npt.NDArray[np.float64]:
    points = scene.rays().points(scene.depth(view)).astype(np.float64)
    return apply(view.part_from_camera, points)


def _looks(boxes: Sequence[scene.Box], standing: Transform) -> list[View]:
    return [
        scene.look(pose, tuple(boxes), part_from_instance=standing, seed=number)
        for number, pose in enumerate(POSES)
    ]


def _fused(
    surface: Surface, views: list[View], reference_from_part: Transform, through: bool = True
) -> Volume:
    volume = Volume(GRID)
    with Crew(2) as crew:
        looked = LookedAt(surface, GRID, scene.rays(), (), through, SCORE, crew)
        for planned, view in enumerate(views):
            looked.add(planned, view, None, reference_from_part)
        looked.fuse_vanished(volume, reference_from_part)
        looked.clear()
        looked.fuse_vanished(Volume(GRID), reference_from_part)  # nothing is left of the last part
    return volume


@pytest.mark.parametrize("standing", [np.eye(4), OFF], ids=["in place", "off and turned"])
def test_a_missing_bar_is_no_defect(surface: Surface, standing: Transform) -> None:
    volume = _fused(surface, _looks((scene.BODY,), standing), invert(standing))
    (defect,) = segment(volume, np.eye(4))
    assert max(defect.size_mm) > 50.0
    assert defect.views >= 2
    assert defect.peak_score == SCORE


@pytest.mark.parametrize("standing", [np.eye(4), OFF], ids=["in place", "off and turned"])
def test_a_bar_that_is_there_is_a_defect(surface: Surface, standing: Transform) -> None:
    assert _fused(surface, _looks(WITH_BAR, standing), invert(standing)).peak is None


def test_a_bar_that_one_view_alone_misses_is_a_defect(surface: Surface) -> None:
    views = _looks(WITH_BAR, np.eye(4))
    views[1] = _looks((scene.BODY,), np.eye(4))[1]
    assert _fused(surface, views, np.eye(4)).peak is None


def test_a_model_that_scores_no_shape_calls_a_bar_missing(surface: Surface) -> None:
    assert _fused(surface, _looks((scene.BODY,), np.eye(4)), np.eye(4), through=False).peak is None
