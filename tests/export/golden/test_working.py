"""The resolution that is inspected shows the smallest defect, and costs no more than that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kits.repository import BRACKET
from voxgate.export.golden.working import PIXELS_ACROSS, block_px, working
from voxgate.runtime.geometry.calibration import Calibration

VOXEL_MM = 2.0
ACROSS_MM = 400.0  # what a picture of the example shows


@pytest.fixture(scope="module")
def known() -> Calibration:
    return Calibration.load(BRACKET / "calibration.json")


def sized(known: Calibration, width_px: int) -> Calibration:
    return replace(known, width_px=width_px, height_px=width_px * 3 // 4)


@pytest.mark.parametrize(
    ("width_px", "block"),
    [
        (400, 1),
        (640, 1),
        (800, 1),
        (1024, 1),
        (1280, 2),
        (1600, 2),
        (1936, 2),
        (2448, 3),
        (4096, 5),
    ],
)
def test_a_camera_with_more_pixels_is_inspected_otherwise(
    known: Calibration, width_px: int, block: int
) -> None:
    pixel_mm = ACROSS_MM / width_px
    found = block_px(pixel_mm, sized(known, width_px), None, VOXEL_MM)
    assert found == block
    assert width_px <= 800 or 0.7 < found * pixel_mm / (VOXEL_MM / PIXELS_ACROSS) < 1.42


def test_a_smaller_defect_gets_no_finer_pixels(known: Calibration) -> None:
    camera = sized(known, 4096)
    blocks = [block_px(ACROSS_MM / 4096, camera, mm, VOXEL_MM) for mm in (0.5, 1.0, 2.0, 4.0)]
    assert blocks == [1, 3, 5, 10]


def test_a_picture_is_reduced_until_nothing_can_be_seen(known: Calibration) -> None:
    assert block_px(0.001, sized(known, 800), 100.0, VOXEL_MM) == 2
    assert block_px(0.001, sized(known, 400), 100.0, VOXEL_MM) == 1
    assert block_px(1e-9, sized(known, 16_384), 100.0, VOXEL_MM) <= 64


def test_a_defect_is_promised_that_the_camera_does_not_resolve(known: Calibration) -> None:
    found = working(1, 1.5, sized(known, 400), 2.0, VOXEL_MM)
    assert found.smallest_mm == 3.0
    assert "no defect below 3.0 mm across can be promised, 2 was asked for" in found.words


def test_an_exporter_does_not_say_what_it_inspects(known: Calibration) -> None:
    found = working(5, 0.49, sized(known, 4096), 2.0, VOXEL_MM)
    assert found.words == (
        "pictures of 4096 x 3072 px are inspected at 819 x 614, 0.49 mm a pixel; "
        "smallest defect 2 mm"
    )
    assert found.section is not None
    assert (found.section.block_px, found.section.width_px) == (5, 819)
    whole = working(1, 0.49, sized(known, 800), None, VOXEL_MM)
    assert "are inspected as they are" in whole.words
    assert whole.section is None
