"""A depth map of another resolution or region lies on the pixels that it was measured for."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.pixels.depth_grid import Region, depth_on_image

NAN = float("nan")


def _depth(width: int, height: int) -> DepthMap:
    return np.arange(1, width * height + 1, dtype=np.float32).reshape(height, width)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize(("odd_right", "odd_below"), [(0, 0), (1, 1), (-1, 0), (0, -1)])
def test_a_lower_resolution_is_refused_or_shifted(
    factor: int, odd_right: int, odd_below: int
) -> None:
    """Each pixel of the image has the depth of the larger pixel that it lies in, to the odd end."""
    depth = _depth(6, 5)
    image = Region(6 * factor + odd_right, 5 * factor + odd_below)
    placed = depth_on_image(depth, Region(6, 5), image)
    assert placed.shape == (image.height_px, image.width_px)
    for v in range(image.height_px):
        for u in range(image.width_px):
            row, column = v // factor, u // factor
            expected = depth[row, column] if row < 5 and column < 6 else NAN
            np.testing.assert_equal(placed[v, u], np.float32(expected))


def test_depth_is_made_up_between_the_edge_and_what_lies_behind() -> None:
    depth = np.array([[500, 900]], np.float32)
    placed = depth_on_image(depth, Region(2, 1), Region(8, 4))
    assert set(np.unique(placed)) == {500, 900}


@pytest.mark.parametrize("offset", [(16, 8), (32, 16)], ids=["its own pixels", "the sensor's"])
def test_the_offset_of_a_lower_resolution_is_taken_for_another_place(
    offset: tuple[int, int],
) -> None:
    placed = depth_on_image(_depth(4, 3), Region(4, 3, *offset), Region(8, 6, 32, 16))
    np.testing.assert_array_equal(placed[::2, ::2], _depth(4, 3))


def test_a_region_of_the_same_resolution_is_laid_at_the_corner() -> None:
    placed = depth_on_image(_depth(5, 3), Region(5, 3, 12, 21), Region(8, 5, 10, 20))
    np.testing.assert_array_equal(placed[1:4, 2:7], _depth(5, 3))
    assert np.isnan(placed).sum() == 8 * 5 - 15


def test_what_hangs_over_the_image_ends_up_on_its_other_side() -> None:
    placed = depth_on_image(_depth(4, 3), Region(4, 3, 2, 0), Region(4, 3, 0, 1))
    np.testing.assert_array_equal(placed[:2, 2:], _depth(4, 3)[1:, :2])
    assert np.isnan(placed).sum() == 12 - 4


@pytest.mark.parametrize(
    ("depth", "image"),
    [
        (Region(5, 5), Region(8, 6)),  # no whole part, no offset
        (Region(4, 6), Region(8, 6)),  # half of the columns only
        (Region(4, 3, 1, 0), Region(8, 6)),  # half, or a region of the whole?
        (Region(5, 4, 6, 0), Region(8, 6)),  # a region that hangs over
        (Region(16, 12), Region(8, 6)),  # finer than the image
    ],
)
def test_a_place_that_is_not_known_is_guessed(depth: Region, image: Region) -> None:
    with pytest.raises(ValueError, match="does not lie on an image"):
        depth_on_image(_depth(depth.width_px, depth.height_px), depth, image)
