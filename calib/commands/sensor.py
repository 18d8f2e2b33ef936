"""`voxgate calib sensor`: where the 3D sensor sits beside the camera."""

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
    Report,
    hand_over,
)
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson


class CloudUnit(str, Enum):
    """Unit of the clouds."""

    MM = "mm"
    M = "m"
    CM = "cm"
    INCH = "inch"


def sensor(
    images: Annotated[Path, typer.Argument(help="Folder of pictures of the board.")],
    clouds: Annotated[
        Path,
        typer.Argument(
            help="Folder of clouds named alike: PLY, PCD, npy, TIFF, with grey; or tables of dots."
        ),
    ],
    board: BoardFile,
    calibration: Annotated[Path, typer.Option(help="The calibration with the camera's lens.")],
    out: Out = Path("calibration.json"),
    pixels: Annotated[
        Path | None,
        typer.Option(
            help="The sensor's own image_size, K, distortion and depth_unit_mm, as JSON: needed by "
            "the box, which judges shape on them."
        ),
    ] = None,
    cloud_unit: Annotated[CloudUnit, typer.Option(help="Unit of the clouds.")] = CloudUnit.MM,
    report: Report = None,
    limit: LimitChanges = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find the 3D sensor in the camera's frame, checked on views that were not used."""
    from voxgate.calib.calibration_file import CalibrationFile
    from voxgate.calib.steps.sensor_step import sensor_step

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        base = CalibrationFile.load(calibration)
        step, sections = sensor_step(
            images,
            clouds,
            board,
            base,
            cloud_unit.value,
            limit or (),
            pixels,
            task_on(progress, "looking for the board"),
        )
    hand_over(base, step, sections, out, report, force, as_json)
