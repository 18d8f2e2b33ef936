"""`voxgate convert`: a scan in its other form, or a data set's training instance as a scan."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.recipe_options import VoxelMm
from voxgate.runtime.commands.console import at_work
from voxgate.runtime.commands.options import AsJson


class SetupName(str, Enum):
    """What SiM3D lets a method learn from."""

    REAL = "real2real"
    SYNTH = "synth2real"


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="A scan (folder or .mcap), a scene's folder, one with transforms.json and depth, "
            "or with --part a data set's."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new scan, .mcap or folder; it must not exist.")],
    part: Annotated[
        str | None, typer.Option(help="The class of a data set (SiM3D, MVTec 3D-AD, MAD).")
    ] = None,
    setup: Annotated[
        SetupName, typer.Option(help="SiM3D: the real instance, or the one rendered from CAD.")
    ] = SetupName.REAL,
    voxel_mm: VoxelMm = None,
    unit_mm: Annotated[
        float, typer.Option(min=1e-3, max=1e6, help="Millimetres a unit of transforms.json.")
    ] = 1000.0,
    as_json: AsJson = False,
) -> None:
    """Write a scan's folder as .mcap and back, or a scene, posed pictures with depth or a data
    set's instance as a scan.

    `voxgate export METHOD --scan OUT` goes on from there.
    """
    from voxgate.runtime.scenes.open_scene import is_scene

    with at_work("writing the scan", as_json):
        if part is None and is_scene(source):
            said = _scene(source, out)
        elif (posed := _posed_folder(source, part)) is not None:
            said = _posed(posed, out, unit_mm)
        elif part is None:
            said = _converted(source, out, voxel_mm)
        else:
            said = _trained(source, part, out, setup, voxel_mm)
    said = {"scan": str(out), **said}
    lost = f" ({said['lost']})" if said.get("lost") else ""
    typer.echo(json.dumps(said) if as_json else f"scan written: {out}{lost}")


def _posed_folder(source: Path, part: str | None) -> Path | None:
    """The folder with transforms.json: this one, or the part's."""
    from voxgate.export.evaluation.layouts.posed import holds_poses

    places = [source] if part is None else [source / part, source]
    return next((place for place in places if holds_poses(place)), None)


def _posed(folder: Path, out: Path, unit_mm: float) -> dict[str, object]:
    from voxgate.export.evaluation.layouts.convert import convert_posed

    return {"views": convert_posed(folder, folder.resolve().name, out, unit_mm)}


def _converted(source: Path, out: Path, voxel_mm: float | None) -> dict[str, object]:
    from voxgate.runtime.errors import ScanError
    from voxgate.runtime.scans.convert import convert_scan

    if voxel_mm is not None:
        raise ScanError("--voxel-mm is of a data set's --part; a scan keeps its grid.json")
    return {"lost": convert_scan(source, out)}


def _scene(source: Path, out: Path) -> dict[str, object]:
    from voxgate.runtime.scans.posed_scan import scene_as_scan

    return {"views": scene_as_scan(source, out)}


def _trained(
    source: Path, part: str, out: Path, setup: SetupName, voxel_mm: float | None
) -> dict[str, object]:
    from voxgate.export.evaluation.layouts.convert import convert_training

    return {"views": convert_training(source, part, out, setup.value, voxel_mm)}
