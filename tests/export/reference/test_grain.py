"""A face that is grained all over is told from print, lines and one good part's marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from tests.kits.scene import PLATE, TABLE_Z_MM, camera, depth, look, rays
from voxgate.export.reference.grain import Grain, grain_of
from voxgate.export.reference.grain_borne import _evened
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import apply

Points = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float64]
Paint = Callable[[Points], Plane]

GREY, RMS = 130.0, 10.0
SIGMA_MM = 1.0  # of the blur that makes noise a grain: some 2 mm are dark, then bright
ROOM_MM = 160


def _noise(seed: int) -> Plane:
    """A volume of grain, 1 mm a cell, rms 1."""
    noise = np.random.default_rng(seed).normal(size=(ROOM_MM, ROOM_MM, 40))
    found = gaussian_filter(noise, SIGMA_MM, mode="wrap")
    return np.asarray(found / found.std(), np.float64)


def grain(rms: float = RMS, seed: int = 1) -> Paint:
    """Alike everywhere and in all directions."""
    volume = _noise(seed)

    def paint(points: Points) -> Plane:
        at = np.moveaxis(points + np.array([ROOM_MM / 2, ROOM_MM / 2, 10.0]), -1, 0)
        return np.asarray(rms * map_coordinates(volume, at, order=1, mode="grid-wrap"))

    return paint


def half_of_it(points: Points) -> Plane:
    """A print on one half of an even face."""
    return np.where(points[..., 0] > 0, grain()(points), 0.0)


def brushed(points: Points) -> Plane:
    """The same lines from end to end."""
    return grain()(points * [0.05, 1.0, 0.05])


def bars(points: Points) -> Plane:
    """Black on white."""
    return np.where(np.sin(points[..., 0]) * np.sin(points[..., 1]) > 0, 60.0, -60.0)


def shadowed(points: Points) -> Plane:
    """Grain, and the shadow of something across a quarter of it."""
    return grain()(points) - 40.0 * (points[..., 0] > 30.0)


def view_of(paint: Paint, elevation_deg: float = 60.0) -> ExpectedView:
    """The golden view of a painted plate."""
    seen = painted(look(camera(20.0, elevation_deg), PLATE), paint)
    return expect(seen.image, depth(seen), rays(), seen.part_from_camera, TABLE_Z_MM)


def painted(seen: View, paint: Paint) -> View:
    """GREY and what the paint adds, and the noise of a camera."""
    points = apply(seen.part_from_camera, rays().points(depth(seen)).astype(np.float64))
    noise = np.random.default_rng(5).normal(0, 1.2, seen.image.shape)
    grey = GREY + np.nan_to_num(paint(np.nan_to_num(points))) + noise
    return replace(seen, image=np.clip(np.rint(grey), 0, 255).astype(np.uint8))


def told(view: ExpectedView) -> tuple[Grain, npt.NDArray[np.bool_]]:
    """What its grain is, and the pixels of its upper face."""
    points = apply(view.part_from_camera, rays().points(view.depth_mm).astype(np.float64))
    return grain_of(view, rays()), view.measured & (np.abs(points[..., 2] - 10.0) < 0.3)


@pytest.mark.parametrize("elevation_deg", [85.0, 60.0, 40.0])
def test_a_face_grained_all_over_is_taken_for_marks(elevation_deg: float) -> None:
    view = view_of(grain(), elevation_deg)
    grain_told, face = told(view)
    assert np.mean(grain_told.alike[face]) > 0.5
    smooth = gaussian_filter(view.image.astype(np.float64), 1.0)[face]
    assert np.median(grain_told.grey[face]) == pytest.approx(smooth.std(), rel=0.25)
    assert grain_told.wide_mm[0] == pytest.approx(np.pi * np.hypot(SIGMA_MM, 1.0), rel=0.25)


@pytest.mark.parametrize("paint", [half_of_it, brushed, bars, grain(1.5)])
def test_print_and_lines_are_taken_for_grain(paint: Paint) -> None:
    grain_told, face = told(view_of(paint))
    assert not grain_told.grey[face].any()


def test_the_edge_of_a_shadow_is_evened_away() -> None:
    view = view_of(shadowed)
    grain_told, face = told(view)
    points = apply(view.part_from_camera, rays().points(view.depth_mm).astype(np.float64))
    edge = face & (np.abs(points[..., 0] - 30.0) < 2.0)
    assert np.mean(grain_told.alike[face]) > 0.3
    assert np.mean(grain_told.alike[edge]) < 0.15


def test_a_grained_face_loses_its_hue_with_its_grain() -> None:
    view = view_of(grain())
    told_grain, _ = told(view)
    hue = np.array([20, 0, -30], np.int16)
    colour = np.clip(view.image[..., None].astype(np.int16) + hue, 0, 255).astype(np.uint8)
    evened = _evened(colour, told_grain)[told_grain.alike].astype(np.float64)
    assert np.abs((evened - evened[:, 1:2]).mean(axis=0) - hue).max() < 0.6  # rounding
    inner = told_grain.alike
    assert evened.std(axis=0).max() < 0.6 * view.image[inner].std()
    assert not _evened(colour, told_grain)[~inner].any()
