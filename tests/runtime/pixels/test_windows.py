"""A window that means a size on the part spans that size, whatever the camera's pixels span."""

from __future__ import annotations

import pytest

from voxgate.runtime.pixels.windows import odd_px, window_px


@pytest.mark.parametrize(
    ("size_mm", "pixel_mm", "px"),
    [(1.5, 1.0, 2), (3.5, 1.0, 4), (10.0, 0.8, 13), (4.0, 0.8, 5), (2.0, 0.65, 3)],
)
def test_a_coarse_camera_gets_windows_of_as_many_pixels(
    size_mm: float, pixel_mm: float, px: int
) -> None:
    assert window_px(size_mm, pixel_mm) == px


@pytest.mark.parametrize("pixel_mm", [0.25, 0.41, 0.5, 0.55, 0.6])
def test_windows_flicker_with_the_distance_of_a_view(pixel_mm: float) -> None:
    """They are what they were tuned to be over all that one block of pixels may span."""
    assert [window_px(mm, pixel_mm) for mm in (1.5, 2.0, 4.0, 10.0)] == [3, 4, 8, 20]
    assert [odd_px(mm, pixel_mm) for mm in (2.5, 3.5)] == [5, 7]


def test_a_window_has_no_middle() -> None:
    assert [odd_px(3.5, mm, 3) for mm in (0.5, 0.7, 0.9, 1.0, 3.0)] == [7, 5, 3, 3, 3]


def test_a_window_becomes_so_small_that_the_flicker_of_an_edge_fits() -> None:
    assert window_px(2.0, 2.0, 3) == 3


@pytest.mark.parametrize("pixel_mm", [1.0, 2.0, 5.0])
def test_a_window_is_left_with_too_few_pixels_to_average(pixel_mm: float) -> None:
    assert [window_px(mm, pixel_mm) for mm in (1.5, 4.0, 10.0)] == [2, 4, 10]
