"""Holes of the sensor's own are known from the golden part; what hides a surface is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import scene
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.inspection.part import Blind, Part
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.volume.grid import GridSpec

POSE = scene.camera(40.0, 60.0, 240.0)
GRID = GridSpec((-60.0, -40.0, -2.0), (60, 40, 36), 2.0)
BLIND_MAX = 0.1
MISSED = 0.08  # of a black surface


@pytest.mark.parametrize("size_px", [1, 3])
def test_a_good_part_of_black_rubber_is_called_blind(size_px: int) -> None:
    golden = _expected(_with_holes(size_px, seed=1))
    assert golden.specks == pytest.approx(MISSED, rel=0.5)
    assert not _blind_notes(BLIND_MAX + MISSED / 3, golden)


def test_a_covered_sensor_passes_for_a_black_part() -> None:
    golden = _expected(_with_holes(3, seed=1))
    assert _blind_notes(BLIND_MAX + 2 * MISSED, golden)


def test_what_hides_a_face_of_the_golden_part_excuses_a_covered_sensor() -> None:
    depth = scene.depth(scene.look(POSE)).copy()
    depth[:, depth.shape[1] // 2 :] = np.nan
    assert _expected(depth).specks < 0.03


def test_a_part_without_holes_may_be_blinder_than_the_limit() -> None:
    assert _expected(scene.depth(scene.look(POSE))).specks < 0.03


def _with_holes(size_px: int, seed: int) -> DepthMap:
    depth: DepthMap = scene.depth(scene.look(POSE)).copy()
    blocks = [side // size_px + 1 for side in depth.shape]
    holes = np.random.default_rng(seed).random(blocks) < MISSED
    whole: npt.NDArray[np.bool_] = np.kron(holes, np.ones((size_px, size_px), np.bool_))
    depth[whole[: depth.shape[0], : depth.shape[1]]] = np.nan
    return depth


def _expected(depth_mm: DepthMap) -> ExpectedView:
    image = scene.look(POSE).image
    return expect(image, depth_mm, scene.rays(), POSE, scene.TABLE_Z_MM)


def _blind_notes(share: float, golden: ExpectedView) -> list[object]:
    part, nothing = Part(), np.empty((0, 3), np.float32)
    part.blind.append(Blind(0, share, nothing, 1.0, golden.specks))
    return [note for note in part.blindness(BLIND_MAX, GRID) if note is not None]
