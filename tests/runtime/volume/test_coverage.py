"""Coverage: what no view measured is named, whatever else was measured often."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.transforms import from_position_quaternion
from voxgate.runtime.volume.coverage import coverage
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.volume import Volume

GRID = GridSpec((-20.0, -20.0, 0.0), (20, 20, 10), 2.0)
PLATE = GRID.centres_mm(
    np.stack(np.meshgrid(np.arange(2, 18), np.arange(2, 18), [5]), -1).reshape(-1, 3)
).astype(np.float32)

pytestmark = pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])


def _seen(points: npt.NDArray[np.float32], sparse: bool, seen: bool = True) -> Volume:
    volume = Volume(GRID, sparse=sparse)
    with Crew(1) as crew:
        lift_points(volume, points, np.zeros(len(points), np.float32), 0, crew, seen=seen)
    return volume


def test_a_complete_scan_covers_everything(sparse: bool) -> None:
    found = coverage(_seen(PLATE, sparse), PLATE, np.eye(4))
    assert (found.fraction, found.unseen, found.largest_unseen) == (1.0, 0, 0)


def test_a_scan_of_nothing_covers_nothing(sparse: bool) -> None:
    found = coverage(Volume(GRID, sparse=sparse), PLATE, np.eye(4))
    assert (found.fraction, found.seen, found.largest_unseen) == (0.0, 0, len(PLATE))


def test_a_hole_is_named_with_its_place_and_size(sparse: bool) -> None:
    hole = np.abs(PLATE[:, :2] - (1.0, 1.0)).max(axis=1) < 7
    found = coverage(_seen(PLATE[~hole], sparse), PLATE, np.eye(4))
    # the rim of the hole has neighbours that were hit
    assert found.unseen == found.largest_unseen == 25
    np.testing.assert_allclose(found.unseen_mm.mean(axis=0), (1.0, 1.0, 11.0))


def test_a_part_that_stands_off_is_looked_for_where_it_stands(sparse: bool) -> None:
    part_from_reference = from_position_quaternion((3.1, -3.3, 3.9), (1, 0, 0, 0))
    moved = PLATE + part_from_reference[:3, 3].astype(np.float32)
    reference_from_part = from_position_quaternion((-3.1, 3.3, -3.9), (1, 0, 0, 0))
    assert coverage(_seen(moved, sparse), PLATE, reference_from_part).fraction == 1.0
    assert coverage(_seen(moved, sparse), PLATE, np.eye(4)).fraction < 1.0


def test_surface_that_gave_no_return_is_not_covered(sparse: bool) -> None:
    assert coverage(_seen(PLATE, sparse, seen=False), PLATE, np.eye(4)).fraction == 0.0


def test_expected_surface_outside_the_grid_is_unseen_not_an_error(sparse: bool) -> None:
    far = PLATE + np.float32(1000.0)
    assert coverage(_seen(PLATE, sparse), far, np.eye(4)).fraction == 0.0


def test_expecting_nothing_is_refused(sparse: bool) -> None:
    with pytest.raises(ValueError, match="at least one voxel"):
        coverage(_seen(PLATE, sparse), PLATE[:0], np.eye(4))
