"""The table: as low as it can be told from the part, so that the part's foot is inspected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kits import scene
from voxgate.export.golden.table import TABLE_MAX_MM, TABLE_MIN_MM, table_z_mm
from voxgate.runtime.nouns import View

POSES = [scene.camera(azimuth, 55.0) for azimuth in (0.0, 120.0, 240.0)]


def _views(noise_mm: float) -> list[View]:
    return [scene.look(pose, noise_mm=noise_mm, seed=n) for n, pose in enumerate(POSES)]


def test_a_quiet_sensor_sees_the_foot_down_to_a_third_of_a_millimetre() -> None:
    assert table_z_mm(_views(0.02), scene.rays()) == TABLE_MIN_MM


@pytest.mark.parametrize("noise_mm", [0.06, 0.1, 0.15])
def test_no_point_of_a_noisy_table_becomes_part(noise_mm: float) -> None:
    found = table_z_mm(_views(noise_mm), scene.rays())
    assert 5.0 * noise_mm < found < 10.0 * noise_mm


def test_a_table_that_is_not_flat_hides_no_more_than_it_may() -> None:
    assert table_z_mm(_views(0.6), scene.rays()) == TABLE_MAX_MM


def test_a_part_that_hangs_in_the_air_is_inspected_down_to_its_end() -> None:
    without = [
        replace(view, depth_mm=np.full_like(scene.depth(view), np.nan)) for view in _views(0.02)
    ]
    assert table_z_mm(without, scene.rays()) == TABLE_MIN_MM
