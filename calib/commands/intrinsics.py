"""`voxgate calib intrinsics`: the lens from pictures of a board."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.calib.commands.common import (
    BoardFile,
    Force,
    LimitChanges,
    Out,
    Recipe,
    Report,
    VoxelMm,
    hand_over,
    voxel_of,
)
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson


class ModelName(str, Enum):
    """How the lens bends rays."""

    BROWN = "brown"
    RATIONAL = "rational"
    FISHEYE = "fisheye"


def intrinsics(
    images: Annotated[Path, typer.Argument(help="Folder of pictures of the board.")],
    board: BoardFile,
    out: Out = Path("calibration.json"),
    model: Annotated[
        ModelName,
        typer.Option(help="brown: [k1, k2, p1, p2, k3]; the others for wide lenses."),
    ] = ModelName.BROWN,
    recipe: Recipe = None,
    voxel_mm: VoxelMm = None,
    report: Report = None,
    limit: LimitChanges = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find camera matrix and distortion, how sure they are, and where to hold the board next."""
    from voxgate.calib.steps.lens_step import lens_step

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        step, sections = lens_step(
            images,
            board,
            model.value,
            limit or (),
            voxel_of(recipe, voxel_mm),
            task_on(progress, "looking for the board"),
        )
    hand_over(None, step, sections, out, report, force, as_json)
