"""`voxgate combine`: several recipes of one part become one that asks all of their models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.recipe_options import NewRecipe, NewVersion
from voxgate.runtime.commands.console import at_work
from voxgate.runtime.commands.options import AsJson


def combine(
    recipes: Annotated[list[Path], typer.Argument(help="Folders of recipes of one part.")],
    out: NewRecipe,
    version: NewVersion,
    name: Annotated[
        str | None, typer.Option(help="Of the new recipe; default: the first one's.")
    ] = None,
    called: Annotated[
        list[str] | None,
        typer.Option("--as", help="Name of each further model, in order; default: its method."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the models of several recipes into one: what any of them fails, it fails."""
    from voxgate.export.packing.combine import combined_by_camera

    with at_work("combining", as_json):
        written = combined_by_camera(recipes, out, version, called or (), name or "")
    summary = {
        "recipe": str(out),
        "label": written.label,
        "methods": written.manifest.methods,
        "detectors": list(written.channels),
    }
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        typer.echo(
            f"recipe written: {out} (not signed): {summary['methods']}; every view is asked of all "
            "of them, the worst counts; `voxgate threshold` tells the false rejects"
        )
