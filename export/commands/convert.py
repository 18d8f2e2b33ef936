"""`voxgate convert`: a scan in its other form, or a data set's training instance as a scan."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson


class SetupName(str, Enum):
    """What SiM3D lets a method learn from."""

    REAL = "real2real"
    SYNTH = "synth2real"


def convert(
    source: Annotated[
        Path,
        typer.Argument(help="A scan (folder or .mcap), or with --part a data set's folder."),
    ],
    out: Annotated[Path, typer.Option(help="The new scan, .mcap or folder; it must not exist.")],
    part: Annotated[
        str | None, typer.Option(help="The class of a data set (SiM3D, MVTec 3D-AD).")
    ] = None,
    setup: Annotated[
        SetupName, typer.Option(help="SiM3D: the real instance, or the one rendered from CAD.")
    ] = SetupName.REAL,
    as_json: AsJson = False,
) -> None:
    """Write a scan's folder as .mcap and back, or a data set's training instance as a scan.

    `voxgate export METHOD --scan OUT` goes on from there.
    """
    with errors_as_json(as_json):
        said = _converted(source, out) if part is None else _trained(source, part, out, setup)
    said = {"scan": str(out), **said}
    lost = f" ({said['lost']})" if said.get("lost") else ""
    typer.echo(json.dumps(said) if as_json else f"scan written: {out}{lost}")


def _converted(source: Path, out: Path) -> dict[str, object]:
    from voxgate.runtime.scans.convert import convert_scan

    return {"lost": convert_scan(source, out)}


def _trained(source: Path, part: str, out: Path, setup: SetupName) -> dict[str, object]:
    from voxgate.export.evaluation.layouts.convert import convert_training

    return {"views": convert_training(source, part, out, setup.value)}
