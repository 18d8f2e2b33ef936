"""`voxgate convert`: a scan in its other form, or a data set's training instance as a scan."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.recipe_options import VoxelMm
from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson


class SetupName(str, Enum):
    """What SiM3D lets a method learn from."""

    REAL = "real2real"
    SYNTH = "synth2real"


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="A scan (folder or .mcap), a scene's folder, or with --part a data set's."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new scan, .mcap or folder; it must not exist.")],
    part: Annotated[
        str | None, typer.Option(help="The class of a data set (SiM3D, MVTec 3D-AD).")
    ] = None,
    setup: Annotated[
        SetupName, typer.Option(help="SiM3D: the real instance, or the one rendered from CAD.")
    ] = SetupName.REAL,
    voxel_mm: VoxelMm = None,
    as_json: AsJson = False,
) -> None:
    """Write a scan's folder as .mcap and back, or a scene or a data set's instance as a scan.

    `voxgate export METHOD --scan OUT` goes on from there.
    """
    from voxgate.runtime.scenes.open_scene import is_scene

    with errors_as_json(as_json):
        if part is None and is_scene(source):
            said = _scene(source, out)
        elif part is None:
            said = _converted(source, out, voxel_mm)
        else:
            said = _trained(source, part, out, setup, voxel_mm)
    said = {"scan": str(out), **said}
    lost = f" ({said['lost']})" if said.get("lost") else ""
    typer.echo(json.dumps(said) if as_json else f"scan written: {out}{lost}")


def _converted(source: Path, out: Path, voxel_mm: float | None) -> dict[str, object]:
    from voxgate.runtime.errors import ScanError
    from voxgate.runtime.scans.convert import convert_scan

    if voxel_mm is not None:
        raise ScanError("--voxel-mm is of a data set's --part; a scan keeps its grid.json")
    return {"lost": convert_scan(source, out)}


def _scene(source: Path, out: Path) -> dict[str, object]:
    from voxgate.export.evaluation.layouts.convert import convert_scene

    return {"views": convert_scene(source, out)}


def _trained(
    source: Path, part: str, out: Path, setup: SetupName, voxel_mm: float | None
) -> dict[str, object]:
    from voxgate.export.evaluation.layouts.convert import convert_training

    return {"views": convert_training(source, part, out, setup.value, voxel_mm)}
