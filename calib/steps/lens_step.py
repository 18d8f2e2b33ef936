"""The whole of `voxgate calib intrinsics`: pictures in, a step of the file and its report out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voxgate.calib.board.board import Board
from voxgate.calib.board.board_pictures import (
    BoardPictures,
    OnProgress,
    find_in_pictures,
    list_pictures,
)
from voxgate.calib.board.board_print import describe
from voxgate.calib.calibration_file import Step, lens_numbers, lens_uncertainty
from voxgate.calib.gates import INTRINSICS, USUAL_VOXEL_MM, for_voxels, gates, limits_with
from voxgate.calib.lens.at_part import lens_at_part_mm, px_at_part_mm
from voxgate.calib.lens.coverage import coverage
from voxgate.calib.lens.intrinsics import Intrinsics, calibrate_lens, held_out_px
from voxgate.calib.lens.lens import LensModel
from voxgate.calib.steps.report import Section, lens_sections

WORTH_SAYING_MM = 0.1  # a bow that changes what a person would do


def lens_step(
    images: Path,
    board_file: Path,
    model: str,
    limit_changes: Sequence[str],
    voxel_mm: float = USUAL_VOXEL_MM,
    on_progress: OnProgress = lambda done, of: None,
) -> tuple[Step, list[Section]]:
    """Raises CalibrationError for pictures that cannot be used."""
    limits = limits_with(for_voxels(INTRINSICS, voxel_mm), limit_changes)
    board = Board.load(board_file)
    pictures = find_in_pictures(list_pictures(images), board, on_progress)
    found = calibrate_lens(
        pictures.sightings, pictures.size_px, LensModel(model), len(pictures.names)
    )
    held_px = held_out_px(found)
    figures = lens_figures(found, held_px)
    step = Step(
        name="intrinsics",
        numbers=lens_numbers(found.lens),
        uncertainty=lens_uncertainty(found.lens, found.covariance),
        figures=figures,
        gates=gates(figures, limits),
        inputs=picture_inputs(images, pictures, board),
        options={"model": model, "voxel_mm": voxel_mm},
        remarks=[*_remarks(pictures, found)],
    )
    return step, lens_sections(found, held_px, limits["rms_max_px"].value)


def lens_figures(found: Intrinsics, held_px: np.typing.NDArray[np.float64]) -> dict[str, float]:
    """The figures that gates judge."""
    size_px = (found.lens.width_px, found.lens.height_px)
    values, sigma = found.lens.values, found.sigma
    held = float(np.sqrt(np.mean(held_px**2)))
    return {
        "views": len(found.sightings),
        "coverage": coverage(found.sightings, found.poses, size_px).fraction,
        "rms_px": found.rms_px,
        "rms_at_part_mm": px_at_part_mm(found, found.rms_px),
        "held_out_px": held,
        "held_out_at_part_mm": px_at_part_mm(found, held),
        "at_part_mm": lens_at_part_mm(found),
        "focal_sigma_percent": float(100 * (sigma[:2] / values[:2]).max()),
        "centre_sigma_px": float(sigma[2:4].max()),
        "noise_px": found.noise_px,
        "bent_mm": found.bent_mm,
    }


def picture_inputs(images: Path, pictures: BoardPictures, board: Board) -> dict[str, object]:
    """What the file and the report say about where the pictures come from."""
    return {
        "images": images.name,
        "pictures": len(pictures.names),
        "pictures_sha256": pictures.digest,
        "board": describe(board),
    }


def bent_remarks(bent_mm: float) -> list[str]:
    """What is said of a board that is not flat."""
    if bent_mm < WORTH_SAYING_MM:
        return []
    return [
        f"the board is bent by {bent_mm:.2f} mm from its lowest to its highest point: that is "
        "taken into account, but on glass or aluminium it would be flat"
    ]


def picture_remarks(pictures: BoardPictures) -> list[str]:
    """Pictures that are no evidence, or no evidence of their own."""
    blank = [f"{name}: the board was not found" for name in pictures.blank]
    return [*blank, *map(str, pictures.repeats)]


def _remarks(pictures: BoardPictures, found: Intrinsics) -> list[str]:
    size_px = (found.lens.width_px, found.lens.height_px)
    bad = [f"{each.name}: left out: {each.why}" for each in found.bad]
    advice = coverage(found.sightings, found.poses, size_px).advice()
    return [
        *bent_remarks(found.bent_mm),
        *picture_remarks(pictures),
        *bad,
        *(f"next: {line}" for line in advice),
    ]
