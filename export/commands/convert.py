"""`voxgate convert`: a published data set's training instance as a scan that exporters read."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from runtime.console import errors_as_json


class SetupName(str, Enum):
    """What SiM3D lets a method learn from."""

    REAL = "real2real"
    SYNTH = "synth2real"


def convert(
    folder: Annotated[Path, typer.Argument(help="Folder of the data set (SiM3D, MVTec 3D-AD).")],
    part: Annotated[str, typer.Option(help="The class.")],
    out: Annotated[Path, typer.Option(help="Folder of the new scan; it must not exist.")],
    setup: Annotated[
        SetupName, typer.Option(help="SiM3D: the real instance, or the one rendered from CAD.")
    ] = SetupName.REAL,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")
    ] = False,
) -> None:
    """Write a class's training instance as a scan: `voxgate export METHOD --scan OUT` goes on."""
    from export.evaluation.convert import convert_training

    with errors_as_json(as_json):
        views = convert_training(folder, part, out, setup.value)
    typer.echo(
        json.dumps({"scan": str(out), "views": views}) if as_json else f"scan written: {out}"
    )
