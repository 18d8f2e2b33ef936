"""Grid: a box of voxels that cannot be used is refused with its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.runtime.volume.grid import GridSpec


def test_a_point_falls_into_the_voxel_whose_centre_is_nearest() -> None:
    grid = GridSpec((-10.0, 0.0, 5.0), (7, 9, 11), 2.0)
    ijk = np.array([[0, 0, 0], [6, 8, 10], [3, 1, 4]], np.int32)
    np.testing.assert_array_equal(grid.voxels_of(grid.centres_mm(ijk)), ijk)
    np.testing.assert_allclose(grid.centres_mm(ijk)[0], (-9.0, 1.0, 6.0))


def test_partial_blocks_at_the_far_side_are_counted() -> None:
    grid = GridSpec((0.0, 0.0, 0.0), (4, 5, 9), 1.0)
    assert grid.blocks == (1, 2, 3)
    assert (grid.cells, grid.block_count) == (180, 6)


@pytest.mark.parametrize(
    ("origin", "shape", "voxel", "says"),
    [
        ((0.0, 0.0, np.nan), (1, 1, 1), 1.0, "finite"),
        ((0.0, 0.0, 0.0), (1, 0, 1), 1.0, "at least 1 voxel"),
        ((0.0, 0.0, 0.0), (1, 1, 1), 0.0, "positive"),
        ((0.0, 0.0, 0.0), (1, 1, 1), np.inf, "positive"),
        ((0.0, 0.0, 0.0), (2000, 2000, 2000), 0.1, "larger voxels"),
    ],
)
def test_an_impossible_grid_is_refused(
    origin: tuple[float, float, float], shape: tuple[int, int, int], voxel: float, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        GridSpec(origin, shape, voxel)
