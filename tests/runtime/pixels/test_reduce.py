"""A picture that loses pixels must not lose what they show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.reduce import reduced_depth, reduced_grey, reduced_view

FOCAL_PX = 6000.0
Depth = npt.NDArray[np.float32]


@pytest.fixture(params=[1, 2])
def crew(request: pytest.FixtureRequest) -> Iterator[Crew]:
    with Crew(request.param) as made:
        yield made


def plane(shape: tuple[int, int], slope: float = 0.0) -> Depth:
    """500 mm away in the middle of each block of 5, `slope` mm a pixel to the right."""
    across = np.arange(shape[1], dtype=np.float32) - 2
    return np.broadcast_to(500 + np.float32(slope) * across, shape).astype(np.float32)


@pytest.mark.parametrize("block", [2, 3, 5, 64])
def test_a_grey_level_is_not_the_mean_of_its_block(block: int, crew: Crew) -> None:
    image = np.random.default_rng(block).integers(0, 256, (3 * block + 1, 4 * block + 1))
    whole = image[: 3 * block, : 4 * block].reshape(3, block, 4, block)
    expected = np.floor(whole.mean(axis=(1, 3)) + 0.5)
    found = reduced_grey(image.astype(np.uint8), block, crew)
    assert np.array_equal(found, expected)


def test_a_slope_is_moved_by_being_reduced(crew: Crew) -> None:
    found = reduced_depth(plane((10, 25), slope=0.2), 5, FOCAL_PX, crew)
    assert np.allclose(found, 500 + np.arange(5) * 1.0, atol=1e-3)


def test_noise_of_the_sensor_is_kept_where_it_could_be_averaged(crew: Crew) -> None:
    rng = np.random.default_rng(1)
    noisy = (plane((500, 500)) + rng.normal(0, 0.05, (500, 500))).astype(np.float32)
    assert reduced_depth(noisy, 5, FOCAL_PX, crew).std() < 0.015


def test_a_depth_between_two_surfaces_is_made_up_at_an_edge(crew: Crew) -> None:
    depth = plane((20, 20))
    depth[:, 8:] = 560.0
    depth[7, 8] = 530.0  # a pixel that saw both
    found = reduced_depth(depth, 5, FOCAL_PX, crew)
    assert set(np.unique(found)) == {500.0, 560.0}
    assert (found[:, 1] == 500.0).all()  # three of five columns


def test_a_hole_of_the_size_of_a_pixel_is_filled(crew: Crew) -> None:
    depth = plane((20, 20))
    depth[5:10, 10:15] = np.nan
    assert np.argwhere(np.isnan(reduced_depth(depth, 5, FOCAL_PX, crew))).tolist() == [[1, 2]]


def test_a_hole_shrinks_or_grows(crew: Crew) -> None:
    """Three of five columns without return are none, two of five are."""
    depth = plane((20, 20))
    depth[:, 2:5] = np.nan
    depth[:, 10:12] = 0.0
    assert np.isnan(reduced_depth(depth, 5, FOCAL_PX, crew)).all(axis=0).tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_single_pixels_without_return_blind_a_view(crew: Crew) -> None:
    depth = plane((500, 500))
    depth[np.random.default_rng(2).random(depth.shape) < 0.1] = np.nan
    assert not np.isnan(reduced_depth(depth, 5, FOCAL_PX, crew)).any()


def test_a_depth_that_no_pixel_measured_stands_beside_a_hole(crew: Crew) -> None:
    depth = plane((10, 10), slope=0.2)
    depth[0:2, 0:5] = np.nan
    found = reduced_depth(depth, 5, FOCAL_PX, crew)
    assert found[0, 0] == depth[2, 2]


def test_infinity_is_taken_for_a_distance(crew: Crew) -> None:
    depth = plane((5, 5))
    depth[0] = np.inf
    assert reduced_depth(depth, 5, FOCAL_PX, crew)[0, 0] == 500.0


def test_a_recipe_at_full_size_copies_its_pictures(crew: Crew) -> None:
    view = View(3, np.zeros((4, 6), np.uint8), np.eye(4), 0.1, plane((4, 6)))
    assert reduced_view(view, 1, FOCAL_PX, crew) is view


def test_a_reduced_view_forgets_where_it_was_taken(crew: Crew) -> None:
    pose = np.eye(4)
    pose[0, 3] = 7.0
    found = reduced_view(
        View(3, np.zeros((11, 12), np.uint8), pose, 0.1, plane((11, 12))), 5, FOCAL_PX, crew
    )
    assert found.image.shape == (2, 2)
    assert (found.frame_id, found.uncertainty_mm) == (3, 0.1)
    assert np.array_equal(found.part_from_camera, pose)
