"""`voxgate calib part`: where the part stands; it completes the calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.calib.commands.common import Force, LimitChanges, Out, Report, hand_over
from voxgate.calib.commands.pose_options import Angles, Inverted, Robot, Rotation, Unit, asked_forms
from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson


def part(
    calibration: Annotated[Path, typer.Option(help="The calibration with lens and hand-eye.")],
    name: Annotated[str, typer.Option("--part", help="Name of the part type.")],
    touched: Annotated[
        Path | None,
        typer.Option(help="Table: x y z on the part's drawing, x y z in the base, mm."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Pictures of a board on the fixture, with --poses, --board.")
    ] = None,
    poses: Annotated[Path | None, typer.Option(help="The robot's poses of --images.")] = None,
    board: Annotated[Path | None, typer.Option(help="board.json of the fixture's board.")] = None,
    carried: Annotated[
        bool,
        typer.Option(
            "--carried",
            help="The robot, or a turntable, carries the part: --touched has x y z in its flange.",
        ),
    ] = False,
    part_from_board: Annotated[
        Path | None, typer.Option(help="Matrix of the board in the part's frame, mm.")
    ] = None,
    scan: Annotated[Path | None, typer.Option(help="Golden scan, laid onto --cad.")] = None,
    cad: Annotated[Path | None, typer.Option(help="Mesh of the part: STL, PLY or OBJ, mm.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Matrix base_from_part, mm, roughly; for --scan.")
    ] = None,
    depth_unit_mm: Annotated[
        float | None, typer.Option(min=1e-6, max=1e3, help="Of one count of the depth map.")
    ] = None,
    tick_hz: Annotated[
        int | None, typer.Option(min=1, help="Ticks per second of the camera's clock.")
    ] = None,
    readout_ms: Annotated[
        float | None, typer.Option(min=0, max=10_000, help="End of exposure to complete frame.")
    ] = None,
    serial_number: Annotated[
        str | None, typer.Option(help="Of the camera: the box then serves no other one.")
    ] = None,
    robot: Robot = None,
    rotation: Rotation = None,
    angles: Angles = None,
    unit: Unit = None,
    inverted: Inverted = False,
    out: Out = Path("calibration.json"),
    report: Report = None,
    limit: LimitChanges = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find the part in the robot's base by touched points, a board on the fixture, or its CAD."""
    from voxgate.calib.calibration_file import CalibrationFile
    from voxgate.calib.steps.part_step import (
        CellFacts,
        by_board,
        by_cad,
        by_touch,
        one_pose,
        part_step,
    )
    from voxgate.runtime.errors import CalibrationError

    with errors_as_json(as_json):
        base = CalibrationFile.load(calibration)
        fixed = base.has("T_base_cam")
        base.transform("T_base_cam" if fixed else "T_flange_cam", "handeye")
        facts = CellFacts(name, depth_unit_mm, tick_hz, readout_ms, serial_number)
        ways = [touched is not None, images is not None, scan is not None]
        if sum(ways) != 1:
            raise CalibrationError(
                "choose one: --touched TABLE, --images --poses --board, or --scan with --cad"
            )
        if touched is None and (fixed or carried):
            raise CalibrationError(
                "a camera beside the robot, or a part on it: --touched finds the part"
            )
        if carried and not fixed:
            raise CalibrationError("--carried: the camera is on the robot too: nothing moves")
        if touched is not None:
            found = by_touch(touched)
        elif images is not None:
            if poses is None or board is None:
                raise CalibrationError("--images also needs --poses and --board")
            forms = asked_forms(robot, rotation, angles, unit, inverted)
            found = by_board(images, poses, board, part_from_board, base, forms)
        else:
            if scan is None or cad is None:
                raise CalibrationError("--scan also needs --cad")
            begin = None if start is None else one_pose(start)
            found = by_cad(scan, cad, base, facts, begin)
        step, sections = part_step(found, base, facts, limit or (), carried)
    hand_over(base, step, sections, out, report, force, as_json)
