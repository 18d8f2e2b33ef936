"""Rungs of a pixel or two are compared as if they were seen, or a wide part is not compared."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.runtime.scenes.scene import SceneView
from voxgate.runtime.trays.doubts import too_thin
from voxgate.runtime.trays.ground import Above
from voxgate.runtime.trays.thin import thin_share

TABLE_MM, PART_MM = 500.0, 460.0


def seen(width_px: int, lost: float = 0.0) -> Above:
    """From above: bars of so many pixels with as much between them; a share of pixels is lost."""
    bars = np.tile((np.arange(120) // width_px) % 2 == 1, (90, 1))
    depth = np.where(bars, PART_MM, TABLE_MM).astype(np.float32)
    depth[np.random.default_rng(2).random(depth.shape) < lost] = np.nan
    up = np.nan_to_num(TABLE_MM - depth, nan=0.0)
    view = SceneView(0, np.zeros(depth.shape, np.uint8), depth, np.eye(4))
    return Above(view, up, np.zeros((0, 3), np.float32), np.zeros(0, np.float32))


@pytest.mark.parametrize("width_px", [1, 2])
def test_thin_rungs_are_taken_for_surfaces(width_px: int) -> None:
    share = thin_share([seen(width_px)], 20.0)
    assert share > 0.9
    assert "no wider than two pixels" in next(too_thin(share)).detail


@pytest.mark.parametrize("lost", [0.0, 0.02])
def test_wide_bars_are_taken_for_rungs(lost: float) -> None:
    share = thin_share([seen(12, lost)], 20.0)
    assert share < 0.03
    assert not [*too_thin(share)]


def test_nothing_stands_there() -> None:
    assert thin_share([seen(12)], 100.0) == 0.0
