"""`voxgate export neighbours`: a tray of parts, held against each other; no golden part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.recipe_options import NewRecipe, RecipeName, RecipeVersion
from voxgate.runtime.commands.console import at_work
from voxgate.runtime.commands.options import (
    AsJson,
    CalibrationFile,
    Contrast,
    DepthMm,
    SmallestMm,
)


def neighbours(
    tray: Annotated[Path, typer.Option(help="Folder of a tray: a recorded scan, or a scene.")],
    out: NewRecipe,
    name: RecipeName = None,
    version: RecipeVersion = "1",
    part: Annotated[
        str | None, typer.Option(help="What stands on a scene's tray; default: tray.")
    ] = None,
    smallest_mm: SmallestMm = None,
    contrast: Contrast = None,
    depth_mm: DepthMm = None,
    calibration: CalibrationFile = None,
    grey: Annotated[
        bool, typer.Option("--grey", help="Compare no hues: good parts come in any colour.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """From one tray of several parts, no weights: a recipe that compares them with each other."""
    from voxgate.export.reference.neighbours import export_neighbours
    from voxgate.runtime.instances import Wanted

    with at_work("making the recipe", as_json):
        said = export_neighbours(
            tray,
            out,
            name=name,
            version=version,
            part=part,
            wanted=Wanted(smallest_mm, contrast, depth_mm),
            calibration=calibration,
            grey=grey,
        )
    typer.echo(
        json.dumps(said)
        if as_json
        else f"recipe written: {out}, {said['views']} views, proven by {said['instances']} parts"
    )
