"""Regions: no piece of surface is left out of the places that all views are asked about."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.runtime.consensus.regions import CELL_MM, RIM_MM, Regions
from voxgate.runtime.volume.grid import GridSpec

SHAPE = (30, 22, 17)


@pytest.mark.parametrize("voxel_mm", [1.0, 2.0, 3.0])
def test_no_region_misses_a_piece_in_its_cube_or_holds_another(voxel_mm: float) -> None:
    grid = GridSpec((-7.0, 3.0, 0.0), SHAPE, voxel_mm)
    edge, rim = max(1, round(CELL_MM / voxel_mm)), max(1, round(RIM_MM / voxel_mm))
    rng = np.random.default_rng(3)
    every = np.stack(np.unravel_index(rng.permutation(np.prod(SHAPE))[:700], SHAPE), axis=-1)
    ijk = every.astype(np.int32)
    regions = Regions.of(grid, ijk)
    assert regions.cell.max() == regions.count - 1
    for region in range(regions.count):
        own = ijk[regions.cell == region] // edge
        assert (own == own[0]).all()
        low, high = own[0] * edge - rim, (own[0] + 1) * edge + rim
        inside = ((ijk >= low) & (ijk < high)).all(axis=1)
        found = regions.members[regions.starts[region] : regions.starts[region + 1]]
        assert sorted(found.tolist()) == np.flatnonzero(inside).tolist()
