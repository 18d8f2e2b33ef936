"""`voxgate calib handeye`: where the camera sits on the robot, or beside it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.calib.commands.common import (
    Base,
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
from voxgate.calib.commands.pose_options import Angles, Inverted, Robot, Rotation, Unit, asked_forms
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson


class CameraPlace(str, Enum):
    """What carries the camera."""

    ROBOT = "robot"
    CELL = "cell"


def handeye(
    images: Annotated[Path, typer.Argument(help="Folder of pictures of the board.")],
    poses: Annotated[Path, typer.Argument(help="The robot's pose for every picture.")],
    board: BoardFile,
    out: Out = Path("calibration.json"),
    calibration: Base = None,
    camera_on: Annotated[
        CameraPlace,
        typer.Option(help="robot: the camera moves; cell: it stands, and the robot has the board."),
    ] = CameraPlace.ROBOT,
    robot: Robot = None,
    rotation: Rotation = None,
    angles: Angles = None,
    unit: Unit = None,
    inverted: Inverted = False,
    refine_lens: Annotated[
        bool, typer.Option(help="Also the lens of --calibration; without one it always is.")
    ] = False,
    recipe: Recipe = None,
    voxel_mm: VoxelMm = None,
    robot_scale: Annotated[
        bool, typer.Option(help="Take the robot's lengths times what the board says of them.")
    ] = False,
    report: Report = None,
    limit: LimitChanges = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find the camera on the robot: outlier poses are named, wrong pose forms are noticed."""
    from voxgate.calib.calibration_file import CalibrationFile
    from voxgate.calib.steps.handeye_step import HandEyeInput, handeye_step

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        base = CalibrationFile.load(calibration) if calibration else None
        given = HandEyeInput(
            images=images,
            poses=poses,
            board=board,
            base=base,
            eye_in_hand=camera_on is CameraPlace.ROBOT,
            forms=asked_forms(robot, rotation, angles, unit, inverted),
            refine_lens=refine_lens or base is None,
            limits=tuple(limit or ()),
            voxel_mm=voxel_of(recipe, voxel_mm),
            robot_scale=robot_scale,
        )
        step, sections = handeye_step(given, task_on(progress, "looking for the board"))
    hand_over(base, step, sections, out, report, force, as_json)
