"""`voxgate calib check`: are these pictures and poses worth a calibration?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voxgate.calib.commands.common import EXIT_REJECTED
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson


def check(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of pictures; or of images/, poses.csv and board.json."),
    ],
    poses: Annotated[Path | None, typer.Option(help="The robot's pose for every picture.")] = None,
    board: Annotated[Path | None, typer.Option(help="board.json of the board in them.")] = None,
    as_json: AsJson = False,
) -> None:
    """What is wrong with pictures and poses, before any calibration; exit 1 if something is."""
    from voxgate.calib.steps.check_step import check_step, find_inputs

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        where = find_inputs(folder, poses, board)
        found, told = check_step(where, task_on(progress, "looking at the pictures"))
    if as_json:
        findings = [{"of": each.of, "words": each.words} for each in found]
        typer.echo(json.dumps({"accepted": not found, "findings": findings, "looked_at": told}))
    else:
        for line in (*map(str, found), *told):
            typer.echo(line)
        typer.echo("nothing is wrong" if not found else f"{len(found)} things to mend")
    if found:
        raise typer.Exit(EXIT_REJECTED)
