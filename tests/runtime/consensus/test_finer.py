"""A part a quarter as large, in voxels and pixels a quarter as large, is told the same of."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.register import TOLERANCE_MM, register
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus.faint import Faint
from voxgate.runtime.consensus.pieces import Pieces, scale_of
from voxgate.runtime.consensus.raised import Raised
from voxgate.runtime.consensus.tint import Tints
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.surface import Surface

GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
POSES = [scene.camera(azimuth, 60.0, 240.0) for azimuth in range(20, 380, 45)]
SIZES = (1.0, 0.25)
OFF_MM = 0.4  # a collar all around the tower, beyond what one view forgives

Plane = npt.NDArray[np.float32]


def test_a_small_mark_is_lost_on_a_small_part(crew: Crew) -> None:
    usual, small = (_faint(size, crew) for size in SIZES)
    assert usual.max() >= 1.0
    np.testing.assert_allclose(small, usual, rtol=1e-3, atol=1e-3)


def test_a_small_bolt_of_another_metal_is_lost_on_a_small_part(crew: Crew) -> None:
    usual, small = (_tint(size, crew) for size in SIZES)
    assert usual.max() >= 1.0
    np.testing.assert_allclose(small, usual, rtol=1e-3, atol=1e-3)


def test_a_small_collar_is_lost_on_a_small_part(crew: Crew) -> None:
    usual, small = (_raised(size, crew) for size in SIZES)
    assert np.nanmax(usual) >= 1.0
    np.testing.assert_allclose(small, usual, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("voxel_mm", "pixel_mm", "scale"),
    [(2.0, 0.5, 1.0), (3.0, 0.9, 1.0), (2.0, 0.1, 1.0), (0.5, 0.125, 0.25), (1.0, 0.5, 1.0)],
)
def test_noise_counts_as_more_where_voxels_are_finer_and_pixels_are_not(
    voxel_mm: float, pixel_mm: float, scale: float
) -> None:
    golden = [replace(view, pixel_mm=pixel_mm) for view in scene.golden(POSES)]
    assert scale_of(voxel_mm, golden) == pytest.approx(scale)


def _faint(size: float, crew: Crew) -> Plane:
    faint = Faint(_pieces(size), _grid(size), len(POSES))
    for number, (view, seen) in enumerate(_seen("line", size, crew)):
        faint.add(number, view, seen, _pieces(size).pixels(view, np.eye(4)))
    return faint.agreed()[1]


def _tint(size: float, crew: Crew) -> Plane:
    tints = Tints(_pieces(size), _grid(size), len(POSES))
    for number, (view, seen) in enumerate(_seen("bolt", size, crew)):
        tints.add(number, view, seen, _pieces(size).pixels(view, np.eye(4)))
    return tints.agreed()[1]


def _raised(size: float, crew: Crew) -> Plane:
    raised = Raised(_pieces(size), scene.golden(POSES), TOLERANCE_MM)
    for number, (view, seen) in enumerate(_seen("bolt", size, crew)):
        known = np.isfinite(seen.deviation_mm)
        off_mm = np.where(known & _on_bolt(view, size), np.float32(OFF_MM), seen.deviation_mm)
        raised.add(
            number, replace(seen, deviation_mm=off_mm), _pieces(size).pixels(view, np.eye(4))
        )
    return raised.agreed()[1]


def _seen(what: str, size: float, crew: Crew) -> list[tuple[View, Registered]]:
    return [(_shrunk(view, size), _smaller(seen, size)) for view, seen in _usual(what, crew)]


_KEPT: dict[str, list[tuple[View, Registered]]] = {}


def _usual(what: str, crew: Crew) -> list[tuple[View, Registered]]:
    """Each view of the part as large as it is, with a mark, beside its golden one."""
    if what not in _KEPT:
        golden = scene.golden(POSES)
        views = [_spoilt(scene.look(pose, seed=n), what, n) for n, pose in enumerate(POSES)]
        _KEPT[what] = [
            (view, register(view, n, golden, scene.rays(), np.eye(4), crew))
            for n, view in enumerate(views)
        ]
    return _KEPT[what]


def _spoilt(view: View, what: str, seed: int) -> View:
    left = np.where(_on_line(view), 0.7, 1.0)
    if what == "bolt":
        left = np.where(_on_bolt(view, 1.0), 1.3, 1.0)
    grey = view.image * left + np.random.default_rng(seed).normal(0, 1.0, left.shape)
    return replace(view, image=np.clip(np.rint(grey), 0, 255).astype(np.uint8))


def _on_line(view: View) -> npt.NDArray[np.bool_]:
    x, y, z = np.moveaxis(_points(view), -1, 0)
    return np.asarray((np.abs(x - 43.0) < 0.6) & (np.abs(y) < 12.0) & (z > 23.0))


def _on_bolt(view: View, size: float) -> npt.NDArray[np.bool_]:
    x, _, z = np.moveaxis(_points(view), -1, 0)
    return np.asarray((x > 5.0 * size) & (z > 27.0 * size))


def _points(view: View) -> npt.NDArray[np.float64]:
    """(h, w, 3) part frame."""
    camera = scene.rays().points(scene.depth(view)).astype(np.float64)
    return np.asarray(apply(view.part_from_camera, camera))


def _shrunk(view: View, size: float) -> View:
    depth_mm = (scene.depth(view) * size).astype(np.float32)
    return replace(view, part_from_camera=_nearer(view.part_from_camera, size), depth_mm=depth_mm)


def _smaller(seen: Registered, size: float) -> Registered:
    return replace(seen, pixel_mm=seen.pixel_mm * size)


def _nearer(pose: Transform, size: float) -> Transform:
    nearer: Transform = pose.copy()
    nearer[:3, 3] *= size
    return nearer


def _grid(size: float) -> GridSpec:
    x, y, z = (size * each for each in GRID.origin_mm)
    return GridSpec((x, y, z), GRID.shape, GRID.voxel_mm * size)


@cache
def _surface() -> Surface:
    points = np.concatenate(
        [_points(scene.look(pose, noise_mm=0.0)).reshape(-1, 3) for pose in POSES]
    )
    ijk = np.unique(GRID.voxels_of(points[points[:, 2] > scene.TABLE_Z_MM]), axis=0)
    return Surface.of_views(GRID, ijk.astype(np.int32), scene.golden(POSES), scene.rays())


@cache
def _pieces(size: float) -> Pieces:
    whole = _surface()
    shrunk = replace(whole, points_mm=whole.points_mm * size, area_mm2=whole.area_mm2 * size**2)
    return Pieces(shrunk, scene.rays(), GRID.voxel_mm * size, size)
