"""`voxgate export cameras`: the recipes of a cell's cameras become one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.recipe_options import GoldenScan, NewRecipe, NewVersion
from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson


def cameras(
    recipes: Annotated[
        list[Path], typer.Argument(help="Folder of each camera's recipe, as cameras.json has them.")
    ],
    scan: GoldenScan,
    out: NewRecipe,
    version: NewVersion,
    name: Annotated[
        str | None, typer.Option(help="Of the new recipe; default: the first one's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the recipes of several cameras into one: every camera's views, one verdict."""
    from voxgate.export.packing.cameras import of_cameras

    with errors_as_json(as_json):
        written = of_cameras(recipes, scan, out, version, name or "")
    views = {each.name: each.views for each in written.manifest.cameras}
    if as_json:
        typer.echo(json.dumps({"recipe": str(out), "label": written.label, "views": views}))
    else:
        told = ", ".join(f"{camera} ({count} views)" for camera, count in views.items())
        typer.echo(f"recipe written: {out} (not signed), of the cameras {told}")
